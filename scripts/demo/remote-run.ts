// The demo's workflow on a cluster, with what the editor uses: upload, start, watch, look inside, fetch.
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { cancelRun, openShell, type RunRequest, runChanged, showRun, startRun } from '#protocol/messages.ts';
import type { RunDetail } from '#protocol/runs.ts';
import type { Cluster } from '#remote/cluster.ts';
import { downloadFile } from '#remote/download.ts';
import { planHelper } from '#remote/helper.ts';
import { uploadSources } from '#remote/sources.ts';
import { root } from './stage.ts';

export interface WorkflowOptions {
  /** URL of the registry that stands for quay.io. */
  mirror: string;
  /** `proot`, `userns`, or `auto` for what works best on the host. */
  engine: string;
  /** Hears of each change. */
  show?(run: RunDetail): void;
  /** Cancels the run. */
  signal?: AbortSignal;
}

/** Runs `demo/workflow.cwl`. Answers when the run has ended, however it ended. */
export async function runWorkflow(cluster: Cluster, options: WorkflowOptions): Promise<RunDetail> {
  const { mirror, engine, show, signal } = options;
  const documents = ['demo/workflow.cwl', ...findTools('demo/workflow.cwl')];
  const inputs = parse(readFileSync(join(root, 'demo/inputs.yml'), 'utf8'));
  const files = findPaths(inputs).map(path => join('demo', path));
  const request: RunRequest = {
    sources: await uploadSources(
      cluster,
      [...documents, ...files].map(path => ({ path, content: { file: join(root, path) } })),
    ),
    tool: 'demo/workflow.cwl',
    // Its paths are relative to its own folder; the run's start at the folder of all sources.
    inputs: mapPaths(inputs, path => join('demo', path)) as Record<string, unknown>,
    label: 'Variants of the lambda phage',
    options: { engine, mirrors: { 'quay.io': mirror } },
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
        show?.(state);
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
  const files = findFiles(run.outputs);
  for (const { path, checksum } of files) await downloadFile(cluster, path, join(folder, basename(path)), { checksum });
  return files.map(file => basename(file.path));
}

/** Types `script` into a shell in the sandbox of a task, and answers what it printed. */
export async function lookInside(cluster: Cluster, run: string, task: string, script: string): Promise<string> {
  const shell = await cluster.request(openShell, { run, task });
  const answer = await cluster.connection.exec(planHelper(cluster.installed, shell.arguments), { stdin: script });
  return answer.stdout || answer.stderr;
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

/** All Files of an output object, those that go with others included. */
function findFiles(value: unknown): { path: string; checksum?: string }[] {
  if (Array.isArray(value)) return value.flatMap(findFiles);
  if (typeof value !== 'object' || value === null) return [];
  const { class: kind, location, checksum } = value as { class?: string; location?: string; checksum?: string };
  const own = kind === 'File' && location ? [{ path: fileURLToPath(location), checksum }] : [];
  return [...own, ...Object.values(value).flatMap(findFiles)];
}
