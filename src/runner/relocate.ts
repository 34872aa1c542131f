import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { findPaths, type PathValue } from '#cwl/file-value.ts';
import type { Value } from '#cwl/model.ts';
import { computeChecksum } from './checksum.ts';
import { listFolder } from './contents.ts';
import { copyTree } from './files.ts';
import { type Action, planRelocation, type RelocationPlan } from './relocate-plan.ts';
import { toHostPath } from './staging.ts';

export interface RelocationRules {
  checksums: boolean;
  /** A link stays where a moved output was: other steps may have read it there, and a shell in one of them must find it. */
  leavesLinks: boolean;
}

/**
 * Puts the outputs of a run into its output folder, each by one rename, and completes them with size and checksum. What
 * is to be done is written down first: killed in between, the next process of the run goes on with it.
 */
export async function relocateOutputs(
  outputs: Record<string, Value>,
  options: { run: string; outdir: string; how: 'move' | 'copy' } & RelocationRules,
): Promise<Record<string, Value>> {
  const plan = planRelocation(outputs, options);
  const note = toNotePath(options.run);
  if (plan.actions.length > 0) {
    writeFileSync(`${note}.new`, JSON.stringify(plan), { flush: true });
    renameSync(`${note}.new`, note);
  }
  return finishRelocation(plan, options);
}

/** The relocation that an earlier process of the run has begun; undefined where there is none. */
export function findRelocation(runFolder: string): RelocationPlan | undefined {
  try {
    return JSON.parse(readFileSync(toNotePath(runFolder), 'utf8')) as RelocationPlan;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The note stays: it says what to do until the journal says that the run has ended. */
export async function finishRelocation(plan: RelocationPlan, options: RelocationRules): Promise<Record<string, Value>> {
  try {
    const folders = new Set<string>();
    for (const action of plan.actions) await perform(action, options, folders);
  } catch (error) {
    throw new Failure('runner/outputs', `the outputs could not be put into their folder`, {
      hint: 'They are still in the folder of the run; free some space there and resume it.',
      cause: error,
    });
  }
  const outputs = structuredClone(plan.outputs);
  for (const value of findPaths(outputs)) await complete(value, options);
  return outputs;
}

/** `folders`: those that were made already, since asking for each output takes as long as moving it. */
async function perform(action: Action, options: RelocationRules, folders: Set<string>): Promise<void> {
  const { target } = action;
  const folder = action.kind === 'folder' ? target : dirname(target);
  if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
  folders.add(folder);
  if (action.kind === 'folder') return;
  const partial = join(dirname(target), `.${basename(target).slice(0, 100)}.${process.pid}.partial`);
  if (action.kind === 'write') {
    writeFileSync(partial, action.text);
    renameSync(partial, target);
    return;
  }
  // Done by the process that was killed.
  if (isGone(action.source, target) && existsSync(target)) return;
  if (action.kind === 'move') {
    await move(action.source, target, partial);
    if (options.leavesLinks) leaveLink(target, action.source);
    return;
  }
  rmSync(partial, { recursive: true, force: true });
  await copyTree(action.source, partial);
  await publish(partial, target);
}

async function move(source: string, target: string, partial: string): Promise<void> {
  try {
    return await publish(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
  }
  rmSync(partial, { recursive: true, force: true });
  await copyTree(source, partial);
  await publish(partial, target);
  rmSync(source, { recursive: true, force: true });
}

function leaveLink(target: string, source: string): void {
  try {
    symlinkSync(target, source);
  } catch {
    // Then only that shell lacks the file.
  }
}

/** True where nothing is at `source`, or nothing but the link that a move has left. */
function isGone(source: string, target: string): boolean {
  const status = lstatSync(source, { throwIfNoEntry: false });
  return status === undefined || (status.isSymbolicLink() && readlinkSync(source) === target);
}

/** A file takes the place of one that an earlier run left; a directory is merged into one that is there. */
async function publish(source: string, target: string): Promise<void> {
  try {
    renameSync(source, target);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await copyTree(source, target);
    rmSync(source, { recursive: true, force: true });
  }
}

/** Sets size and checksum of Files, and the listing of Directories, as they are on the disk. */
async function complete(value: PathValue, options: Pick<RelocationRules, 'checksums'>): Promise<void> {
  const path = toHostPath(value) as string;
  if (value.class === 'Directory') {
    value.listing = listFolder(path);
    for (const entry of value.listing) await complete(entry, options);
    return;
  }
  value.size = statSync(path).size;
  if (options.checksums) value.checksum = await computeChecksum(path, value.size);
  else delete value.checksum;
  for (const secondary of value.secondaryFiles ?? []) await complete(secondary, options);
}

function toNotePath(runFolder: string): string {
  return join(runFolder, 'relocation.json');
}
