// Documents in memory, and what loading them says.
import { Failure } from '#base/failure.ts';
import type { Problem } from '#base/problem.ts';
import { type LoadOptions, loadProcess } from '#cwl/load.ts';
import type { Process, Workflow } from '#cwl/model.ts';
import type { Reader } from '#cwl/reader.ts';

export const folder = 'file:///docs/';

/** Reads `files`, by their names below {@link folder}; remembers in `reads` how often each was asked for. */
export function memoryReader(files: Record<string, string>, reads: Record<string, number> = {}): Reader {
  return {
    async read(uri) {
      const name = decodeURIComponent(uri.replace(folder, ''));
      reads[name] = (reads[name] ?? 0) + 1;
      const text = files[name];
      if (text === undefined) throw new Failure('cwl/not-readable', `${name} does not exist.`);
      return text;
    },
  };
}

/** Loads `main.cwl` of these files, or a single text. */
export function load(files: string | Record<string, string>, options: Partial<LoadOptions> = {}) {
  const all = typeof files === 'string' ? { 'main.cwl': files } : files;
  return loadProcess(`${folder}main.cwl`, { reader: memoryReader(all), ...options });
}

/** `main.cwl:3:5 error cwl/unknown-field: message`, one-based. */
export function tell({ uri, range, severity, code, message }: Problem): string {
  const { line, character } = range.start;
  return `${uri.replace(folder, '')}:${line + 1}:${character + 1} ${severity} ${code}: ${message}`;
}

/** Loads and throws what is wrong, if anything. */
export async function loadValid(
  files: string | Record<string, string>,
  options: Partial<LoadOptions> = {},
): Promise<Process> {
  const { process, problems } = await load(files, options);
  if (!process) throw new Error(problems.map(tell).join('\n'));
  return process;
}

export async function loadWorkflow(
  files: string | Record<string, string>,
  options: Partial<LoadOptions> = {},
): Promise<Workflow> {
  const process = await loadValid(files, options);
  if (process.class !== 'Workflow') throw new Error(`a ${process.class}`);
  return process;
}
