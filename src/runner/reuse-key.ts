import { createHash } from 'node:crypto';
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { isObject, isPath, type PathValue } from '#cwl/file-value.ts';
import type { WorkDirEntry } from '#cwl/initial-work-dir.ts';
import { compareUtf8 } from '#cwl/input-binding.ts';
import type { CommandLineTool, Requirement, Value } from '#cwl/model.ts';
import type { Requirements } from '#cwl/requirements.ts';
import { toLocalPath, toShortName } from '#cwl/uri.ts';
import type { FileDigests } from './file-digests.ts';

/** All that the result of a task may depend on. */
export interface Work {
  tool: CommandLineTool;
  requirements: Requirements;
  inputs: Record<string, Value>;
  /** What InitialWorkDirRequirement puts into the working directory. */
  entries: readonly WorkDirEntry[];
  argv: readonly string[];
  environment: Record<string, string>;
  network: boolean;
  /** Digest of the image; undefined on the bare host. */
  image: string | undefined;
  workGuest: string;
  runtime: Record<string, Value>;
  /** Paths that are other ones in each run: they are told by what they stand for. */
  places: Record<string, string>;
}

/** Requirements whose own words matter; what others say is in the command line, the environment and the files. */
const relevant: Requirement['class'][] = [
  'InlineJavascriptRequirement',
  'LoadListingRequirement',
  'ShellCommandRequirement',
  'InplaceUpdateRequirement',
  'SoftwareRequirement',
];

/**
 * A digest of what a task does and of the contents of all files that it is given, wherever they and the document lie: the
 * same key means the same result (CWL v1.2, WorkReuse). On the bare host the program itself is known by size and time.
 */
export async function toReuseKey(work: Work, digests: FileDigests): Promise<string> {
  const { tool, requirements } = work;
  const inForce = relevant.flatMap(name => requirements.required.get(name) ?? requirements.hinted.get(name) ?? []);
  const { cwlVersion, inputs, outputs, baseCommand, stdin, stdout, stderr } = tool;
  const semantics = JSON.stringify(
    {
      cwlVersion,
      inputs,
      outputs,
      baseCommand,
      arguments: tool.arguments,
      stdin,
      stdout,
      stderr,
      codes: [tool.successCodes, tool.temporaryFailCodes, tool.permanentFailCodes],
      inForce,
    },
    leaveOutWords,
  );
  const place = (text: string) =>
    Object.entries(work.places).reduce((all, [path, name]) => all.replaceAll(path, name), text);
  const entries = await Promise.all(
    work.entries.map(async entry => {
      const how = [entry.kind, entry.name ?? null, entry.writable];
      return [...how, entry.kind === 'text' ? place(entry.text) : await identify(entry.value, digests)];
    }),
  );
  const known = [
    semantics,
    await identifyValue(work.inputs, digests),
    entries,
    work.argv.map(place),
    Object.entries(work.environment)
      .map(([name, value]) => `${name}=${place(value)}`)
      .sort(),
    work.network,
    work.image ?? describeProgram(work.argv[0] ?? '', work.environment.PATH ?? ''),
    place(work.workGuest),
    // Numbers that nobody asks for would only make the work of another machine useless.
    /\bruntime\b/.test(JSON.stringify([tool, ...requirements.required, ...requirements.hinted]))
      ? place(JSON.stringify(work.runtime))
      : '',
  ];
  return createHash('sha256').update(JSON.stringify(known)).digest('hex');
}

/** Places, documentation and the documents' URIs do nothing. A default has its effect in the inputs. */
function leaveOutWords(key: string, value: unknown): unknown {
  if (key === 'place' || key === 'label' || key === 'doc' || key === 'default') return undefined;
  if (key === 'name' && typeof value === 'string' && value.includes('#')) return toShortName(value);
  return value;
}

async function identifyValue(value: Value, digests: FileDigests): Promise<unknown> {
  if (isPath(value)) return identify(value, digests);
  if (Array.isArray(value)) return Promise.all(value.map(item => identifyValue(item, digests)));
  if (!isObject(value)) return value;
  const names = Object.keys(value).sort(compareUtf8);
  return Promise.all(
    names.map(async name => [name, await identifyValue((value as Record<string, Value>)[name]!, digests)]),
  );
}

/** Name, contents, and what lies beside or inside. */
async function identify(value: PathValue, digests: FileDigests): Promise<unknown> {
  const path = value.location === undefined ? undefined : toLocalPath(value.location);
  const parts = value.class === 'File' ? value.secondaryFiles : path === undefined ? value.listing : [];
  const inner = await Promise.all((parts ?? []).map(part => identify(part, digests)));
  if (value.class === 'Directory') {
    return ['Directory', value.basename ?? '', path === undefined ? inner : await identifyFolder(path, digests)];
  }
  const content = path === undefined ? ['text', value.contents ?? ''] : await digests.digestOf(path);
  return ['File', value.basename ?? '', value.format ?? '', content, inner];
}

async function identifyFolder(folder: string, digests: FileDigests): Promise<unknown> {
  const names = readdirSync(folder).sort(compareUtf8);
  return Promise.all(
    names.map(async name => {
      const path = join(folder, name);
      const found = statSync(path, { throwIfNoEntry: false });
      if (!found) return [name, 'nothing'];
      return [name, found.isDirectory() ? await identifyFolder(path, digests) : await digests.digestOf(path)];
    }),
  );
}

/** A program of the host that was exchanged makes other results. */
function describeProgram(name: string, searchPath: string): unknown {
  const candidates = name.includes('/') ? [name] : searchPath.split(':').map(folder => join(folder, name));
  for (const path of candidates) {
    if (!isAbsolute(path)) continue;
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found?.isFile() || !isExecutable(path)) continue;
    return [path, found.size, found.mtimeMs];
  }
  return name;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
