/** What the language server and the editor say to each other beyond the Language Server Protocol. */
import { RequestType } from 'vscode-jsonrpc';
import type { Problem, Range } from '#base/problem.ts';

/** Asked of the editor: the text behind a URI that is in no open document; fails if it can't be had. */
export const readFile = new RequestType<{ uri: string }, { text: string }, void>('cwl/readFile');

/** A process that can be run: for the code lens above it. */
export interface ProcessEntry {
  /** What people call it: its label, its id, or the name of the file. */
  name: string;
  class: string;
  /** Fragment that picks it from a packed document; absent for the process of a whole document. */
  id?: string;
  /** Its first line. */
  range: Range;
}
export const listProcesses = new RequestType<{ uri: string }, { processes: ProcessEntry[] }, void>('cwl/processes');

/** YAML of an input object to fill in, with the types as comments. Without errors in the document only. */
export const makeInputsTemplate = new RequestType<
  { uri: string; id?: string },
  { text?: string; problems: Problem[] },
  void
>('cwl/inputsTemplate');

/** What a run needs: documents (also included texts), files that inputs and defaults name, and images. */
export interface Dependencies {
  documents: string[];
  /** URIs of local Files and Directories; what has another scheme is fetched where the run is. */
  files: { uri: string; class: 'File' | 'Directory' }[];
  /** Secondary files that go along if they exist. */
  beside: string[];
  /** Files whose neighbours that begin with the same name, less its extension, go along: an expression tells which are needed. */
  families: string[];
  /** Images that would be pulled, as they are named. */
  images: string[];
  /** Texts of Dockerfiles. */
  dockerFiles: string[];
  problems: Problem[];
}
export const findDependencies = new RequestType<{ uri: string; id?: string; inputs?: string }, Dependencies, void>(
  'cwl/dependencies',
);

/** Whether an input object fits a process: missing ones, wrong types, unknown names. `values` is it, with absolute locations. */
export const checkInputs = new RequestType<
  { uri: string; id?: string; inputs: string },
  { problems: Problem[]; values: Record<string, unknown> },
  void
>('cwl/checkInputs');
