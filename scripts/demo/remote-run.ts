// The demo's workflow on a cluster, with what the editor uses: upload, start, watch, look inside, fetch.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import {
  cancelRun,
  findMissingSources,
  openShell,
  putSource,
  type RunRequest,
  readFile,
  runChanged,
  showRun,
  startRun,
} from '#protocol/messages.ts';
import type { RunDetail } from '#protocol/runs.ts';
import type { Cluster } from '#remote/cluster.ts';
import { planHelper } from '#remote/helper.ts';
import { root } from './stage.ts';

const megabyte = 1 << 20;

/** Runs `demo/workflow.cwl`; `mirror` stands for quay.io. Answers when the run has ended, however it ended; `signal` cancels it. */
export async function runWorkflow(
  cluster: Cluster,
  mirror: string,
  show: (run: RunDetail) => void = () => {},
  signal?: AbortSignal,
): Promise<RunDetail> {
  const documents = ['demo/workflow.cwl', ...findTools('demo/workflow.cwl')];
  const inputs = parse(readFileSync(join(root, 'demo/inputs.yml'), 'utf8'));
  const files = findPaths(inputs).map(path => join('demo', path));
  const request: RunRequest = {
    sources: await upload(cluster, [...documents, ...files]),
    tool: 'demo/workflow.cwl',
    // Its paths are relative to its own folder; the run's start at the folder of all sources.
    inputs: mapPaths(inputs, path => join('demo', path)) as Record<string, unknown>,
    label: 'Variants of the lambda phage',
    options: { mirrors: { 'quay.io': mirror } },
  };
  const states: RunDetail[] = [];
  let wake = () => {};
  const stop = cluster.on(runChanged, state => {
    states.push(state);
    wake();
  });
  try {
    const { id } = await cluster.request(startRun, request);
    states.push(await cluster.request(showRun, { id }));
    const cancel = () => void cluster.request(cancelRun, { id });
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    for (;;) {
      for (const state of states.splice(0)) {
        if (state.id !== id) continue;
        show(state);
        if (state.state !== 'running' && state.state !== 'starting') return state;
      }
      await new Promise<void>(resolve => {
        wake = resolve;
        if (states.length > 0) resolve();
      });
    }
  } finally {
    stop();
  }
}

/** Fetches the files of the output object into `folder`; answers their names. */
export async function fetchOutputs(cluster: Cluster, run: RunDetail, folder: string): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const names: string[] = [];
  for (const path of findLocations(run.outputs)) {
    const parts: Buffer[] = [];
    for (let offset = 0, size = 1; offset < size; ) {
      const answer = await cluster.request(readFile, { path, offset, length: megabyte });
      const part = Buffer.from(answer.base64, 'base64');
      parts.push(part);
      size = answer.size;
      offset += part.length;
      if (part.length === 0) break;
    }
    writeFileSync(join(folder, basename(path)), Buffer.concat(parts));
    names.push(basename(path));
  }
  return names;
}

/** Types `script` into a shell in the sandbox of a task, and answers what it printed. */
export async function lookInside(cluster: Cluster, run: string, task: string, script: string): Promise<string> {
  const shell = await cluster.request(openShell, { run, task });
  const answer = await cluster.connection.exec(planHelper(cluster.installed, shell.arguments), { stdin: script });
  return answer.stdout || answer.stderr;
}

async function upload(cluster: Cluster, paths: string[]): Promise<RunRequest['sources']> {
  const files = paths.map(path => {
    const content = readFileSync(join(root, path));
    return { path, content, digest: createHash('sha256').update(content).digest('hex') };
  });
  const { missing } = await cluster.request(findMissingSources, { digests: files.map(file => file.digest) });
  for (const { content, digest } of files) {
    if (missing.includes(digest)) await cluster.request(putSource, { digest, base64: content.toString('base64') });
  }
  return files.map(({ path, digest }) => ({ path, digest }));
}

/** The documents that the steps of a workflow run. */
function findTools(workflow: string): string[] {
  const { steps } = parse(readFileSync(join(root, workflow), 'utf8')) as { steps: Record<string, { run: string }> };
  return [...new Set(Object.values(steps).map(step => join(dirname(workflow), step.run)))];
}

function findPaths(inputs: unknown): string[] {
  const paths: string[] = [];
  mapPaths(inputs, path => {
    paths.push(path);
    return path;
  });
  return paths;
}

/** The same input object with other paths in its Files. */
function mapPaths(value: unknown, change: (path: string) => string): unknown {
  if (Array.isArray(value)) return value.map(item => mapPaths(item, change));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) =>
    key === 'path' && 'class' in value ? [key, change(item)] : [key, mapPaths(item, change)],
  );
  return Object.fromEntries(entries);
}

/** Absolute paths of all Files in an output object, those that go with others included. */
function findLocations(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(findLocations);
  if (typeof value !== 'object' || value === null) return [];
  const { class: kind, location } = value as { class?: unknown; location?: unknown };
  const own = kind === 'File' && typeof location === 'string' ? [fileURLToPath(location)] : [];
  return [...own, ...Object.values(value).flatMap(findLocations)];
}
