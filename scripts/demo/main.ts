// The demo in a terminal: an unprivileged user's cluster on this machine, and a workflow of real tools on it.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatFailure } from '#base/failure.ts';
import type { RunDetail } from '#protocol/runs.ts';
import { openCluster } from '#remote/cluster.ts';
import { loadKits } from '#remote/local-kit.ts';
import { noPrompts } from '#ssh/prompts.ts';
import { noSshd, type Sshd } from '../../test/support/sshd.ts';
import { openDisplay } from './progress.ts';
import { fetchOutputs, lookInside, runWorkflow } from './remote-run.ts';
import { folder, openStage, root, type Stage } from './stage.ts';

const { engine } = parseArgs({ options: { engine: { type: 'string', default: 'proot' } } }).values;
const began = Date.now();
const outputs = join(folder, 'out');
const look = [
  'echo "\\$ id"; id',
  'echo "\\$ env"; env | sort',
  'echo "\\$ ls /"; ls -m /',
  'echo "\\$ ls -l /in/1/lane1_1.fq.gz"; ls -l /in/1/lane1_1.fq.gz',
  'echo "\\$ ls /w"; ls -m /w',
  'echo "\\$ ls /home /root"; ls -m /home /root 2>&1',
  'echo "\\$ cat /etc/os-release"; head -1 /etc/os-release',
  '',
].join('\n');
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')));
process.once('SIGTERM', () => interrupted.abort(new Error('terminated')));

try {
  const stage = await openStage(say);
  try {
    await (stage.sshd ? runOnCluster(stage, stage.sshd) : runHere(stage));
  } finally {
    await stage.close();
  }
} catch (error) {
  console.error(formatFailure(error));
  process.exitCode = 1;
}

async function runOnCluster(stage: Stage, sshd: Sshd): Promise<void> {
  const kits = await loadKits(join(root, 'dist/kit'));
  const settings = { host: 'cluster', configFile: sshd.config, folder: '$HOME/.cwl-on-clusters-demo' };
  const cluster = await openCluster(settings, noPrompts, {
    kits,
    signal: interrupted.signal,
    onState: state => state.kind === 'installing' && !state.progress && say('installing the kit there'),
  });
  try {
    const { user, hostname } = cluster.helper.hello;
    say(`connected to ${hostname} as ${user}, whose kit is ${cluster.installed.helper}`);
    say('running demo/workflow.cwl');
    const display = openDisplay(process.stdout);
    const run = await runWorkflow(cluster, {
      mirror: stage.registry.url,
      engine,
      show: state => display.show(state),
      signal: interrupted.signal,
    });
    if (run.state !== 'success') throw new Error(`the run ended with ${run.state}: ${run.message ?? ''}`);
    const names = await fetchOutputs(cluster, run, outputs);
    const task = run.taskList.find(each => each.id === 'align[0]');
    say(`what ${task?.id} saw, in ${task?.image} by the engine ${task?.engine}:`);
    console.log(indent(await lookInside(cluster, run.id, 'align[0]', look)));
    summarize(run, names);
  } finally {
    cluster.close();
  }
}

/** The same without SSH, for those who can't start a server: the helper is a program too. */
async function runHere(stage: Stage): Promise<void> {
  say(`left out: SSH, because ${noSshd}; the workflow runs here, as yourself`);
  mkdirSync(outputs, { recursive: true });
  const helper = [
    join(root, 'dist/helper.cjs'),
    'run',
    '--outdir',
    outputs,
    '--mirror',
    `quay.io=${stage.registry.url}`,
  ];
  const documents = [join(root, 'demo/workflow.cwl'), join(root, 'demo/inputs.yml')];
  const child = spawn(process.execPath, [...helper, ...documents], { stdio: ['ignore', 'inherit', 'inherit'] });
  interrupted.signal.addEventListener('abort', () => child.kill('SIGTERM'));
  const code = await new Promise(resolve => child.on('close', resolve));
  if (code !== 0) throw new Error(`the run ended with exit code ${code}`);
  say('the results are in build/demo/out');
}

function summarize(run: RunDetail, names: string[]): void {
  say(`${run.outputs?.variant_count} variants; the results are in build/demo/out:`);
  for (const name of names) console.log(`    ${name}`);
  say(`on the cluster they are in ${run.outdir}`);
}

function say(text: string): void {
  console.log(`[${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s] ${text}`);
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '    ');
}
