// What the sandboxes cost, all measured in one run on this machine, as the unprivileged user:
// `node bench/engine.ts [calls|start|untar|compile|align]...`; ROUNDS: how often each is run (5).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { findUser, isRoot, needPackages } from '../test/support/machine.ts';
import { makePlace } from '../test/support/sandbox.ts';
import { empty, openSides, type Side } from './support/engine-sides.ts';
import { openRootfs, workloads } from './support/engine-workloads.ts';

const calls = ['stat', 'open', 'read', 'write', 'fork+exec'];
const names = ['calls', 'start', ...workloads.map(each => each.name)];
const wanted = process.argv.slice(2);
const unknown = wanted.find(name => !names.includes(name));
if (unknown !== undefined) throw new Error(`no workload ${unknown}; there are ${names.join(', ')}`);
if (!isRoot) throw new Error('only root can set up a Debian of its own, and run programs in it by chroot');
const isWanted = (name: string) => wanted.length === 0 || wanted.includes(name);
const rounds = Number(process.env.ROUNDS ?? 5);

needPackages('mmdebstrap', 'gcc');
// What disks do would be measured as well; a memory disk shows what the engines do.
if (existsSync('/dev/shm')) process.env.TMPDIR = '/dev/shm';
const place = makePlace(findUser());
try {
  const rootfs = openRootfs(place);
  const work = place.makeFolder('work');
  const starter = place.compile('test/engine/programs/start.c', 'start');
  const { sides, absent, remove } = await openSides(place, rootfs, work);
  process.on('exit', remove);
  console.log(`${cpus()[0]?.model.trim()}, Linux ${release()}; ${rootfs}; the best of ${rounds} rounds in turn`);
  for (const [name, reason] of absent) console.log(`${name} does not run here: ${reason}`);
  const usual = sides.filter(side => side.only !== 'start');

  if (isWanted('calls')) {
    const rows = await measure(usual, rounds, side => {
      const { stdout } = runSide(side, [], ['/usr/bin/bench', '/w/file']);
      return Object.fromEntries([...stdout.matchAll(/(\S+)=(\d+)/g)].map(match => [match[1], Number(match[2]) / 1000]));
    });
    printTable('one call, microseconds, and how many times the native one', calls, rows);
  }
  if (isWanted('start')) {
    const starts = sides.filter(side => side.only !== 'work');
    // Such an engine must find its folder empty each time; of the others one round is many starts.
    const isSingle = (side: Side) => ['fakechroot', 'podman'].includes(side.name);
    const rows = await measure(starts, rounds * 4, side => {
      const front = side.name.endsWith(', offline') ? [place.tools.launcher, '--own-network', '--'] : [];
      const [wall] = readTimes(runSide(side, [...front, starter, isSingle(side) ? '1' : '20'], ['/bin/true']));
      return { start: wall / 1e6 };
    });
    printTable('one `true` from start to end, milliseconds', ['start'], rows);
    for (const { name, bare } of starts) {
      if (bare === undefined) continue;
      const ratio = (rows.get(name)?.start as number) / (rows.get(bare)?.start as number);
      console.log(`${name} / ${bare}: ${ratio.toFixed(2)}`);
    }
  }
  for (const { name, what, argv, make, clear } of workloads.filter(each => isWanted(each.name))) {
    make(work, rootfs);
    spawnSync('chown', ['-R', `${place.user.uid}:${place.user.gid}`, work]);
    const rows = await measure(usual, rounds, side => {
      clear?.(work);
      const [wall, processors] = readTimes(runSide(side, [starter, '1'], argv));
      return { [name]: wall / 1e9, cpu: processors / 1e9 };
    });
    // Other work on the machine changes the time of the processors less; those of podman's containers are not seen.
    printTable(`${what}: seconds, and seconds of processors`, [name, 'cpu'], rows);
  }
} finally {
  place.remove();
}

/** Each side in turn, so that a machine whose speed changes does so for each; the least of all rounds. */
async function measure(
  sides: readonly Side[],
  times: number,
  run: (side: Side) => Record<string, number>,
): Promise<Map<string, Record<string, number>>> {
  const best = new Map<string, Record<string, number>>();
  for (let round = 0; round < times; round++) {
    for (const side of sides) {
      const before = best.get(side.name) ?? {};
      const values = Object.entries(run(side)).map(([name, value]) => [name, Math.min(value, before[name] ?? value)]);
      best.set(side.name, Object.fromEntries(values));
    }
  }
  return best;
}

/** `front` starts what the side runs `argv` in. */
function runSide(side: Side, front: string[], argv: string[]): { stdout: string; stderr: string } {
  const command = side.plan(argv);
  const [file = '', ...args] = [...front, ...command.argv];
  const ids = side.asRoot ? {} : { uid: place.user.uid, gid: place.user.gid };
  const options = { cwd: command.cwd ?? '/', env: command.env, ...ids, encoding: 'utf8' as const };
  const { status, stdout, stderr } = spawnSync(file, args, options);
  empty(side);
  if (status !== 0) throw new Error(`${side.name}: ${stderr}`);
  return { stdout, stderr };
}

/** Nanoseconds from start to end, and of processors, as the starter says. */
function readTimes({ stderr }: { stderr: string }): [wall: number, processors: number] {
  const [, wall, processors] = /start=(\d+) cpu=(\d+)/.exec(stderr) ?? [];
  return [Number(wall), Number(processors)];
}

function printTable(
  title: string,
  columns: readonly string[],
  rows: ReadonlyMap<string, Record<string, number>>,
): void {
  console.log(`\n${title}\n${['engine'.padEnd(16), ...columns.map(each => each.padStart(17))].join('')}`);
  const native = rows.get('native') as Record<string, number>;
  for (const [name, row] of rows) {
    const cells = columns.map(each => {
      const [value = 0, base = 1] = [row[each], native[each]];
      const ratio = value / base;
      return `${value.toFixed(2)} (${ratio.toFixed(ratio < 10 ? 2 : 0)})`.padStart(17);
    });
    console.log([name.padEnd(16), ...cells].join(''));
  }
}
