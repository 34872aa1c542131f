/** What the editor asks the CWL language server beyond the Language Server Protocol. */

import { RequestType } from 'vscode-jsonrpc';
import type { Problem, Range } from '#base/problem.ts';

/** A process in a document that can be run by itself. */
export interface ProcessOutline {
  /** What stands after `#` to pick it from a packed document; empty for the only process of a document. */
  id: string;
  label?: string;
  class: string;
  /** Where it begins. */
  range: Range;
  inputs: { id: string; isRequired: boolean }[];
}
/** Processes of an open document, in their order; empty while it can't be read. Steps' embedded processes are left out. */
export const listProcesses = new RequestType<{ uri: string }, ProcessOutline[], void>('cwl/processes');

/** The text (YAML) of an input object for a process, to be filled in. */
export const makeTemplate = new RequestType<{ uri: string; process: string }, { text: string }, void>('cwl/template');

/** All that a run of a process needs from this machine. */
export interface RunPlan {
  /** URIs of all documents that are read: the one asked for first, then what it runs, imports and includes. */
  documents: string[];
  /** The input object; locations of its files and directories are absolute URIs. */
  inputs: Record<string, unknown>;
  /** Of all these documents and of the input object; with an error among them nothing can be run. */
  problems: Problem[];
}
/** `inputs`: URI of the input object's document; absent: no inputs are given. */
export const planRun = new RequestType<{ uri: string; process: string; inputs?: string }, RunPlan, void>('cwl/plan-run');
