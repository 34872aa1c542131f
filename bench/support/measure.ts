// Whole processes, timed from outside, each side in turn.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runAs, type User } from '../../test/support/machine.ts';

export interface Side {
  name: string;
  argv: string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Runs as root and gives up its rights by itself. */
  asRoot?: boolean;
  rounds?: number;
}

/** Medians: seconds, and MB of the largest process. */
export interface Cost {
  wall: number;
  cpu: number;
  memory: number;
}

/** Runs all sides once, then `rounds` times in turn, so that a machine whose speed changes does so for each of them. */
export async function measure(
  sides: readonly Side[],
  options: { user: User; scratch: string; rounds: number },
): Promise<Cost[]> {
  const all = sides.map((): Cost[] => []);
  for (let round = 0; round <= options.rounds; round++) {
    for (const [index, side] of sides.entries()) {
      if (round > (side.rounds ?? options.rounds)) continue;
      const cost = await time(side, options);
      // The first one fills caches, unless it is the only one.
      if (round > 0 || side.rounds === 0) all[index]?.push(cost);
    }
  }
  return all.map(toMedian);
}

let count = 0;

async function time(side: Side, { user, scratch }: { user: User; scratch: string }): Promise<Cost> {
  const folder = join(scratch, 'times');
  mkdirSync(folder, { recursive: true, mode: 0o777 });
  const file = join(scratch, `time-${++count}`);
  // The command line of each run ends in a new output folder: nothing is removed in between, as a file system is slow
  // after that.
  const argv = side.argv.map(word => word.replaceAll('%', String(count)));
  const runner = side.asRoot ? { ...user, uid: 0, gid: 0, name: 'root' } : user;
  const args = ['-f', '%e %U %S %M', '-o', file, ...argv];
  const { code, stderr } = await runAs(runner, '/usr/bin/time', args, { env: side.env, cwd: side.cwd ?? scratch });
  if (code !== 0) throw new Error(`${side.name}: ${argv.join(' ')}: ${stderr.slice(-2000)}`);
  const [wall = 0, own = 0, system = 0, memory = 0] = readFileSync(file, 'utf8').trim().split(' ').map(Number);
  return { wall, cpu: own + system, memory: memory / 1024 };
}

function toMedian(costs: readonly Cost[]): Cost {
  const median = (pick: (cost: Cost) => number) =>
    costs.map(pick).sort((a, b) => a - b)[Math.floor(costs.length / 2)] ?? 0;
  return { wall: median(each => each.wall), cpu: median(each => each.cpu), memory: median(each => each.memory) };
}

/** One line a side; the ratios are those of the first side to this one, or the other way round. */
export function printTable(title: string, sides: readonly Side[], costs: readonly Cost[]): void {
  const [own] = costs as [Cost];
  console.log(`\n${title}`);
  for (const [index, side] of sides.entries()) {
    const { wall, cpu, memory } = costs[index] as Cost;
    const figures = [`${wall.toFixed(2)} s`, `${cpu.toFixed(2)} s cpu`, `${memory.toFixed(0)} MB`].map(text =>
      text.padStart(12),
    );
    const ratio =
      index === 0
        ? ''
        : `   ${side.name} / helper: wall ${(wall / own.wall).toFixed(2)}, cpu ${(cpu / own.cpu).toFixed(2)}`;
    console.log(`  ${side.name.padEnd(26)}${figures.join('')}${ratio}`);
  }
}
