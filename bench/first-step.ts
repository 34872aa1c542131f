// Time to the first result and overhead of each further step, beside Debian's cwltool and the floor: the same processes
// started by Node with nothing around them. No image in it: what sandboxes cost is measured for itself.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needPackages } from '../test/support/machine.ts';

const rounds = 5;
const manySteps = 100;
const root = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'cwl-bench-'));
const words = (count: number) => {
  const file = join(scratch, `words-${count}.json`);
  writeFileSync(file, JSON.stringify({ words: Array.from({ length: count }, (_, index) => `word${index}`) }));
  return file;
};
const word = join(scratch, 'word.json');
writeFileSync(word, '{"word":"hello"}');

interface Case {
  name: string;
  args: string[];
  /** Processes that the case starts, and how many of them at a time. */
  steps: number;
  width: number;
}
const cases: Case[] = [
  { name: 'one tool', args: [join(root, 'bench/cases/tool.cwl')], steps: 1, width: 1 },
  { name: 'chain of 10', args: [join(root, 'bench/cases/chain.cwl'), word], steps: 10, width: 1 },
  {
    name: `scatter of ${manySteps}`,
    args: [join(root, 'bench/cases/scatter.cwl'), words(manySteps)],
    steps: manySteps,
    width: availableParallelism(),
  },
];

const helper = (args: string[]) => [process.execPath, join(root, 'dist/helper.cjs'), 'run', '--quiet', ...args];
const cwltool = findCwltool();
console.log(['case', 'floor', 'helper', 'per step', ...(cwltool ? ['cwltool', 'ratio'] : [])].map(cell).join(''));
let start: number | undefined;
try {
  for (const each of cases) {
    const floor = await measure(() => runFloor(each));
    const own = await measure(() => runProgram(helper(['--outdir', join(scratch, 'own'), ...each.args])));
    // What one tool costs is the start; the rest is shared by the further steps.
    start ??= own - floor;
    const perStep = each.steps > 1 ? milliseconds((own - floor - start) / (each.steps - 1)) : '';
    const row = [each.name, milliseconds(floor), milliseconds(own), perStep];
    if (cwltool) {
      const parallel = each.width > 1 ? ['--parallel'] : [];
      const options = ['--quiet', '--no-container', '--outdir', join(scratch, 'cwltool'), ...parallel];
      const other = await measure(() => runProgram([cwltool, ...options, ...each.args]));
      row.push(milliseconds(other), `${(other / own).toFixed(1)} x`);
    }
    console.log(row.map(cell).join(''));
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Median of some rounds, in milliseconds. */
async function measure(work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[Math.floor(rounds / 2)] as number;
}

async function runFloor({ steps, width }: Case): Promise<void> {
  let left = steps;
  const worker = async () => {
    while (left-- > 0) await promisify(execFile)('/bin/echo', ['hello']);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

async function runProgram([file, ...args]: string[]): Promise<void> {
  await promisify(execFile)(file as string, args, { maxBuffer: 64 << 20, cwd: scratch });
}

function findCwltool(): string | undefined {
  try {
    needPackages('cwltool', 'python3-setuptools');
  } catch (error) {
    console.log(`left out: cwltool (${(error as Error).message})`);
    return undefined;
  }
  const path = '/usr/bin/cwltool';
  return existsSync(path) && spawnSync(path, ['--version']).status === 0 ? path : undefined;
}

function milliseconds(value: number): string {
  return `${value.toFixed(1)} ms`;
}

function cell(text: string): string {
  return text.padEnd(16);
}
