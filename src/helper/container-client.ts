import { delimiter, join, resolve } from 'node:path';
import { Failure } from '#base/failure.ts';
import { makeApptainerEngine } from '#engine/apptainer-engine.ts';
import { type DockerClient, makeDockerEngine, planImport } from '#engine/docker-engine.ts';
import type { Engine, Tools } from '#engine/sandbox.ts';
import { type EngineTest, planSelfTest } from '#engine/self-test.ts';
import { importRootfs } from './docker-import.ts';
import { ask, withSelfTestFiles } from './self-test.ts';
import { isExecutable } from './tools.ts';

/** Engines that are programs of the host's, and what they are looked for by. */
export const clientPrograms: Record<string, string[]> = {
  docker: ['docker', 'podman'],
  podman: ['podman'],
  apptainer: ['apptainer', 'singularity'],
  singularity: ['singularity', 'apptainer'],
  fakechroot: ['fakechroot'],
};

/** The first container of a user makes that user's storage, milliseconds. */
const patience = 60_000;

/** What the client itself needs of the caller's environment: where its settings, its storage and its daemon are. */
const needed =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|TMPDIR|XDG_\w+|(?:DOCKER|PODMAN|CONTAINER|CONTAINERS|UDOCKER|STORAGE)_\w+|(?:APPTAINER|SINGULARITY)_(?:CACHEDIR|TMPDIR|CONFIGDIR|CONFDIR)|REGISTRY_AUTH_FILE|DBUS_SESSION_BUS_ADDRESS)$/;

/** An engine that has to be given a root file system before it can run it. */
export interface PreparedEngine extends Engine {
  /** Returns the root file system to be run, which may be another one. */
  prepare?(rootfs: string, signal: AbortSignal): Promise<string>;
}

export interface ClientOptions {
  tools: Tools;
  /** Where the self-test runs. */
  folder: string;
  /** A path, or the name of a program in PATH; by default what {@link clientPrograms} says. */
  command: string | undefined;
}

/** Tries what is there until one way works: `engine` is that way, `tested` tells of each that was tried. */
export async function findClient(
  name: string,
  { tools, folder, command }: ClientOptions,
): Promise<{ engine: PreparedEngine | undefined; tested: EngineTest[] }> {
  const wanted = command === undefined ? (clientPrograms[name] ?? []) : [command];
  const programs = wanted.map(findProgram).filter(path => path !== undefined);
  if (programs.length === 0) {
    throw new Failure('engine/no-docker', `there is no program ${wanted.join(' or ')} here`, {
      hint: 'Load its module or put it into PATH, or name it: --docker-command CMD, dockerCommand of the cluster. --engine auto needs none.',
    });
  }
  const tested: EngineTest[] = [];
  for (const program of programs) {
    for (const { engine, planImport } of await describeEngines(program)) {
      const result = await testEngine(engine, planImport, tools, folder);
      // Ways that fail for the same reason are told once.
      const reasons = tested.map(each => each.message.slice(`${each.engine}: `.length));
      if (result.works || !reasons.some(reason => result.message.endsWith(reason)))
        tested.push({ engine: engine.name, ...result });
      if (result.works) return { engine: planImport ? withImport(engine, planImport) : engine, tested };
    }
  }
  return { engine: undefined, tested };
}

type ImportPlanner = (rootfs: string) => ReturnType<typeof planImport>;

function withImport(engine: Engine, plan: ImportPlanner): PreparedEngine {
  return { ...engine, prepare: (rootfs, signal) => importRootfs(plan(rootfs), rootfs, signal).then(() => rootfs) };
}

/** The ways in which this program could be used, best first. */
async function describeEngines(program: string): Promise<{ engine: Engine; planImport?: ImportPlanner }[]> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name, value]) => needed.test(name) && value !== undefined),
  ) as Record<string, string>;
  const say = (...args: string[]) =>
    ask({ argv: [program, ...args], env, parse: ({ stdout, exit }) => (exit.code === 0 ? stdout : '') }, patience);
  const version = await say('--version');
  const apptainer = /^(apptainer|singularity)\b/i.exec(version)?.[1]?.toLowerCase();
  if (apptainer) {
    return [{ engine: makeApptainerEngine({ program, name: apptainer as 'apptainer' | 'singularity', env }) }];
  }
  return (await describeDocker(program, version, env, say)).map(client => ({
    engine: makeDockerEngine(client),
    ...(!client.isInPlace && { planImport: rootfs => planImport(client, rootfs) }),
  }));
}

async function describeDocker(
  program: string,
  version: string,
  env: Record<string, string>,
  say: (...args: string[]) => Promise<string>,
): Promise<DockerClient[]> {
  const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  if (/^podman\b/i.test(version)) {
    const podman = { program, name: 'podman', isKnown: true, isPodman: true, env };
    // Root keeps its ids by itself. A user without ranges of ids, or a kernel without overlays, allow less.
    const best = { ...podman, isInPlace: true, userns: ids.uid === 0 ? undefined : ('keep-id' as const) };
    const others = [
      { ...best, userns: undefined },
      { ...podman, isInPlace: false, userns: undefined },
    ];
    return ids.uid === 0 ? others : [best, ...others];
  }
  // Without root, the daemon's root is the caller.
  const isRootless = (await say('info', '--format', '{{.SecurityOptions}}')).includes('rootless');
  const isKnown = /^docker version\b/i.test(version);
  const client: DockerClient = {
    program,
    name: 'docker',
    isKnown,
    isPodman: false,
    hasGpuOption: isKnown,
    isInPlace: false,
    userns: undefined,
    env,
    ...(!isRootless && { user: ids }),
  };
  return [client];
}

function testEngine(engine: Engine, plan: ImportPlanner | undefined, tools: Tools, folder: string) {
  return withSelfTestFiles(tools, folder, async files => {
    const image = plan?.(files.rootfs);
    try {
      if (image) await importRootfs(image, files.rootfs, AbortSignal.timeout(patience));
      return await ask(planSelfTest(engine, files), patience);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { works: false, message: `${engine.name}: ${error.message}${error.hint ? `. ${error.hint}` : ''}` };
    } finally {
      if (image) await ask({ ...image.remove, parse: () => undefined }, patience);
    }
  });
}

/** A path, or a name that is looked for along PATH; undefined where there is no such program. */
export function findProgram(name: string): string | undefined {
  if (name.includes('/')) return isExecutable(resolve(name)) ? resolve(name) : undefined;
  const places = (process.env.PATH ?? '').split(delimiter).filter(folder => folder.startsWith('/'));
  return places.map(folder => join(folder, name)).find(isExecutable);
}
