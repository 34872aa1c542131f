import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Query } from '#base/command.ts';
import { makeProotEngine } from '#engine/proot-engine.ts';
import type { Engine, Tools } from '#engine/sandbox.ts';
import {
  type EngineTest,
  type Features,
  planFeatures,
  planHostCost,
  planSelfTest,
  type SelfTestFiles,
} from '#engine/self-test.ts';
import { makeUsernsEngine } from '#engine/userns-engine.ts';

/** A sandbox that answers within this, or does not work, milliseconds: PRoot has been seen to hang. */
const patience = 10_000;

export interface SelfTestReport {
  features: Features;
  /** Fastest first. */
  engines: EngineTest[];
  /** Nanoseconds for one stat(2) without a sandbox. */
  hostStatCost?: number;
}

/** Runs every engine of the kit once, in a root file system made for it below `folder`, which is removed again. */
export async function runSelfTests(tools: Tools, folder: string): Promise<SelfTestReport> {
  const features = await ask(planFeatures(tools.launcher));
  return withSelfTestFiles(tools, folder, async files => {
    const engines: EngineTest[] = [];
    for (const engine of makeEngines(tools, features)) {
      // The other forms of PRoot are for kernels on which the usual one does not work.
      const isUsual = engine.name === 'userns' || engine.name === 'proot';
      if (!isUsual && engines.some(each => each.engine.startsWith('proot') && each.works)) continue;
      engines.push({ engine: engine.name, ...(await ask(planSelfTest(engine, files))) });
    }
    return { features, engines, hostStatCost: await ask(planHostCost(tools.launcher, files)) };
  });
}

/** Makes a root file system for a test below `folder`, and removes it after it. */
export async function withSelfTestFiles<T>(
  tools: Tools,
  folder: string,
  test: (files: SelfTestFiles) => Promise<T>,
): Promise<T> {
  const place = makePlace(folder);
  try {
    return await test(layOut(place, tools));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** On some nodes the home can only be read, or is full. */
function makePlace(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true });
    return mkdtempSync(join(folder, 'self-test-'));
  } catch {
    return mkdtempSync(join(tmpdir(), 'cwl-self-test-'));
  }
}

/** The engines that the kit holds, fastest first, as they would be used with these features of the kernel. */
export function makeEngines(tools: Tools, features: Features): Engine[] {
  const { landlock, networkNamespaces } = features;
  return [
    ...(tools.userns ? [makeUsernsEngine(tools)] : []),
    makeProotEngine(tools, { acceleration: true, landlock, networkNamespaces }),
    makeProotEngine(tools, { acceleration: true, landlock, networkNamespaces, newOrder: true }),
    makeProotEngine(tools, { acceleration: false, landlock, networkNamespaces }),
  ];
}

function layOut(place: string, tools: Tools): SelfTestFiles {
  const files = { rootfs: join(place, 'rootfs'), outside: join(place, 'outside'), temporary: join(place, 'temporary') };
  for (const folder of ['rootfs', 'temporary']) mkdirSync(join(place, folder));
  // As images in the store have them: some engines can't make them.
  for (const name of ['dev', 'proc', 'sys', 'tmp', 'etc']) mkdirSync(join(files.rootfs, name));
  copyFileSync(tools.launcher, join(files.rootfs, 'self-test'));
  writeFileSync(join(files.rootfs, 'inside'), '');
  writeFileSync(files.outside, '');
  return files;
}

/** Runs a query to its end; one that can't be started, or takes too long, has failed with a message on stderr. */
export function ask<T>(query: Query<T>, limit = patience): Promise<T> {
  const [file = '', ...args] = query.argv;
  const options = { env: query.env, cwd: query.cwd, timeout: limit, killSignal: 'SIGKILL' as const };
  return new Promise((resolve, reject) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : null) : 0;
      const why = error?.killed ? `no answer within ${limit / 1000} s` : code === null ? String(error?.message) : '';
      try {
        resolve(query.parse({ stdout, stderr: stderr + why, exit: { code, signal: error?.signal ?? null } }));
      } catch (problem) {
        reject(problem);
      }
    });
  });
}
