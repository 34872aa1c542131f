// What the sandboxes cost, all measured in one run on this machine: `node bench/engine.ts`.
import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '#base/command.ts';
import { planFeatures } from '#engine/self-test.ts';
import { makeEngines } from '#helper/self-test.ts';
import { findUser } from '../test/support/machine.ts';
import { makePlace } from '../test/support/sandbox.ts';

const place = makePlace(findUser());
try {
  const program = place.compile('test/engine/programs/bench.c', 'bench');
  copyFileSync(program, join(place.rootfs, 'bin/bench'));
  const work = place.makeFolder('work');
  const query = planFeatures(place.tools.launcher);
  const features = query.parse({ ...(await place.run(query)), exit: { code: 0, signal: null } });
  const engines = makeEngines(place.tools, features).filter(engine => engine.name !== 'proot-new-order');

  const native: Command = { argv: [program, join(work, 'file')], env: {}, cwd: work };
  const starts: [string, Command, Command][] = [['native', native, { argv: ['/bin/true'], env: {}, cwd: work }]];
  for (const engine of engines) {
    const plan = (argv: string[]) =>
      engine.planCommand(
        {
          rootfs: place.rootfs,
          binds: [{ host: work, guest: '/w', writable: true }],
          cwd: '/w',
          env: {},
          argv,
          network: false,
        },
        place.makeFolder(`temporary-${engine.name}`),
      );
    starts.push([engine.name, plan(['/bin/bench', '/w/file']), plan(['/bin/true'])]);
  }
  const columns = ['stat', 'open', 'read', 'write', 'fork+exec', 'start'];
  const rows: Record<string, Record<string, number>> = {};
  for (const [name, bench, start] of starts) {
    const { stdout, stderr, code } = await place.run(bench);
    if (code !== 0) throw new Error(`${name}: ${stderr}`);
    rows[name] = Object.fromEntries([...stdout.matchAll(/(\S+)=(\d+)/g)].map(match => [match[1]!, Number(match[2])]));
    rows[name].start = await measureStart(start);
  }
  console.log(`microseconds for one call, and how many times the native one. start: of one sandboxed \`true\`.\n`);
  console.log(['engine'.padEnd(12), ...columns.map(each => each.padStart(18))].join(''));
  for (const [name, row] of Object.entries(rows)) {
    const cells = columns.map(each => {
      const ratio = (row[each] as number) / (rows.native?.[each] as number);
      return `${((row[each] as number) / 1000).toFixed(2)} (${ratio.toFixed(ratio < 10 ? 2 : 0)})`.padStart(18);
    });
    console.log([name.padEnd(12), ...cells].join(''));
  }
} finally {
  place.remove();
}

/** Nanoseconds, the best of 30. */
async function measureStart(command: Command): Promise<number> {
  const { uid, gid } = process.getuid?.() === 0 ? place.user : { uid: undefined, gid: undefined };
  const [file = '', ...args] = command.argv;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 30; i++) {
    const begin = process.hrtime.bigint();
    const { status, stderr } = spawnSync(file, args, { cwd: command.cwd, env: command.env, uid, gid });
    if (status !== 0) throw new Error(String(stderr));
    best = Math.min(best, Number(process.hrtime.bigint() - begin));
  }
  return best;
}
