// Runs the helper's `run` command as a process of its own, on documents written by the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import type { RunEvent } from '#runner/events.ts';

const helper = join(import.meta.dirname, '..', '..', 'src', 'helper', 'main.ts');

export interface Place {
  folder: string;
  outdir: string;
  home: string;
  write(files: Record<string, string>): void;
  start(args: string[]): ChildProcess;
  run(args: string[]): Promise<Result>;
}
export interface Result {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  /** The output object; empty where there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: outputs are of any shape.
  outputs: any;
}

/** A folder for one test, removed after it. */
export function makePlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-run-test-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const [outdir, home] = [join(folder, 'out'), join(folder, 'home')];
  const start = (args: string[]) =>
    spawn(process.execPath, [helper, 'run', ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, SECRET: 'of the caller', CWL_ON_CLUSTERS_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  return {
    folder,
    outdir,
    home,
    write(files) {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
    },
    start,
    run: args => wait(start(['--engine', 'host', '--outdir', outdir, ...args])),
  };
}

export async function wait(child: ChildProcess): Promise<Result> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise(resolve => {
    child.on('close', (code, signal) =>
      resolve({ code, signal, stdout, stderr, outputs: stdout.startsWith('{') ? JSON.parse(stdout) : {} }),
    );
  });
}

export function readEvents(runFolder: string): RunEvent[] {
  const lines = readFileSync(join(runFolder, 'journal.jsonl'), 'utf8').split('\n');
  return lines.flatMap(line => (line.endsWith('}') ? [JSON.parse(line) as RunEvent] : []));
}

/** Waits until `condition` holds; throws after ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end; ) {
    if (condition()) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error('it did not happen in ten seconds');
}
