import { hostname } from 'node:os';
import { join } from 'node:path';
import { Failure } from '#base/failure.ts';
import { hostEngine } from '#engine/host-engine.ts';
import type { Engine, Sandbox, Tools } from '#engine/sandbox.ts';
import type { EngineTest } from '#engine/self-test.ts';
import { clientPrograms, findClient, type PreparedEngine } from './container-client.ts';
import { findFakechroot } from './fakechroot-client.ts';
import { findHome } from './home.ts';
import { describeNode } from './node-class.ts';
import { makeEngines, runSelfTests } from './self-test.ts';
import { type NodeReport, readReport, writeReport } from './self-test-cache.ts';
import { findTools } from './tools.ts';

export interface SelectOptions {
  tools?: Tools;
  /** Where reports of self-tests are kept, and where they run; `probe/` in the helper's home by default. */
  folder?: string;
  /** The program of an engine that is one of the host's, where it is not that of their name in PATH. */
  dockerCommand?: string;
  /** Test anew, whatever an earlier report says. */
  fresh?: boolean;
}

/** Runs tools that name no image, in the host's own root. */
export function loadHostEngine(): Engine {
  return hostEngine;
}

/** {@link selectEngine}, once, when it is first asked for. */
export function openEngine(name: string | undefined, options: SelectOptions): () => Promise<PreparedEngine> {
  let engine: Promise<PreparedEngine> | undefined;
  return () => {
    engine ??= selectEngine(name, options);
    return engine;
  };
}

/**
 * The engine of this name: `userns`, `proot`, `proot-slow`, `docker`, `podman`, `apptainer`, `singularity`,
 * `fakechroot`, `host`; undefined or `auto` is the fastest that passes its
 * self-test here, and `proot` may turn out to be the slow one. Throws a Failure `engine/unknown`, or `engine/unusable`
 * with what the self-test saw and the cure.
 */
export async function selectEngine(name: string | undefined, options: SelectOptions = {}): Promise<PreparedEngine> {
  if (name === 'host') return hostEngine;
  if (name !== undefined && Object.hasOwn(clientPrograms, name)) return selectClient(name, options);
  const wanted = Object.hasOwn(preferences, name ?? 'auto') ? preferences[name ?? 'auto'] : undefined;
  if (!wanted) {
    throw new Failure('engine/unknown', `there is no engine ${name}`, {
      hint: `Engines are: ${[...Object.keys(preferences), ...Object.keys(clientPrograms), 'host'].join(', ')}.`,
    });
  }
  const tools = options.tools ?? findTools();
  const report = await findReport({ ...options, tools });
  const engines = makeEngines(tools, report.features);
  const working = wanted
    .filter(each => report.engines.some(tested => tested.engine === each && tested.works))
    .map(each => engines.find(engine => engine.name === each) as Engine);
  const [best, ...others] = working;
  if (best) {
    const chosen = { ...best, why: explainChoice(best.name, wanted, report.engines) };
    return name === undefined || name === 'auto' ? withFallback(chosen, others) : chosen;
  }
  const messages = report.engines.filter(each => wanted.includes(each.engine)).map(each => each.message);
  // Its forms fail alike.
  const seen = new Set(messages.map(message => message.replace(/^proot(?:-[a-z-]+)?: /, 'PRoot: ')));
  throw new Failure(
    'engine/unusable',
    `no sandbox works on this node (${hostname()}): ${[...seen].join('; ').replaceAll('.; ', '. ')}`,
    {
      hint: 'The command `probe` of the helper tells more. Without a sandbox only tools that need no image can run (--engine host).',
    },
  );
}

/** Tested each time: whether a daemon runs, and what it allows, may change at any time. */
async function selectClient(name: string, options: SelectOptions): Promise<PreparedEngine> {
  const { engine, tested } = await testClient(name, options);
  if (engine) return { ...engine, why: tested.at(-1)?.message };
  throw new Failure(
    'engine/unusable',
    `no container works on this node: ${tested.map(each => each.message).join('; ')}`,
    {
      hint: '`--engine auto` needs no such program.',
    },
  );
}

/** What an engine that is a program of the host's can do here. */
export function testClient(name: string, options: SelectOptions = {}): ReturnType<typeof findClient> {
  const tools = options.tools ?? findTools();
  const folder = options.folder ?? join(findHome().folder, 'probe');
  const found = { tools, folder, command: options.dockerCommand };
  return name === 'fakechroot' ? findFakechroot(found) : findClient(name, found);
}

/** What the engines can do here; from the cache of this class of nodes unless `fresh`. */
export async function findReport(options: SelectOptions = {}): Promise<NodeReport> {
  const tools = options.tools ?? findTools();
  const home = findHome();
  const folder = options.folder ?? join(home.folder, 'probe');
  const { id, name: className, job, settings } = describeNode(tools, [home.folder, home.images]);
  // What a filter refuses can't be seen, so two nodes with one may differ in all.
  const known = options.fresh || settings.isFiltered ? undefined : readReport(folder, id);
  if (known) return known;
  const found = await runSelfTests(tools, folder);
  const report = { hostname: hostname(), className, tested: new Date().toISOString(), job, settings, ...found };
  const isSure = report.engines.some(each => each.works) && !report.engines.some(each => each.isPassing);
  if (isSure) writeReport(folder, id, report);
  return report;
}

/** What `auto` takes where the tests ended like this. */
export function chooseByDefault(tests: readonly EngineTest[]): string | undefined {
  return preferences.auto?.find(name => tests.some(each => each.engine === name && each.works));
}

/** What was seen of the engine, and of those that would have been better. */
function explainChoice(name: string, wanted: readonly string[], tests: readonly EngineTest[]): string {
  const better = wanted.slice(0, wanted.indexOf(name));
  return [name, ...better].flatMap(each => tests.find(test => test.engine === each)?.message ?? []).join('; ');
}

const preferences: Record<string, string[]> = {
  auto: ['userns', 'proot', 'proot-new-order', 'proot-slow'],
  userns: ['userns'],
  proot: ['proot', 'proot-new-order', 'proot-slow'],
  'proot-new-order': ['proot-new-order'],
  'proot-slow': ['proot-slow'],
};

/** An image that needs a newer kernel than this one can only run where PRoot pretends it. */
function withFallback(engine: Engine, others: readonly Engine[]): Engine {
  const proot = others.find(each => each.name !== 'userns');
  if (engine.name !== 'userns' || !proot) return engine;
  const findSubstitute = (sandbox: Sandbox) => (sandbox.kernelRelease === undefined ? undefined : proot);
  return {
    ...engine,
    findSubstitute,
    planCommand: (sandbox, temporary, options) =>
      (findSubstitute(sandbox) ?? engine).planCommand(sandbox, temporary, options),
  };
}
