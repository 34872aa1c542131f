import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { Failure, formatFailure, isFailure } from '#base/failure.ts';
import { isOlder } from '#base/kernel-release.ts';
import type { GpuAccess } from '#engine/gpus.ts';
import type { Sandbox } from '#engine/sandbox.ts';
import type { Image } from '#image/image.ts';
import { findUser, resolveInside } from '#image/rootfs-path.ts';
import type { Store } from '#image/store.ts';
import { fromText, toText } from '#image/tree.ts';
import { toAccess } from '#runner/gpus.ts';
import { type Invocation, usageFailure } from './command-line.ts';
import { type DockerRunOptions, parseDockerRun } from './docker-options.ts';
import { selectEngine } from './engines.ts';
import { makeProgressPrinter } from './progress-line.ts';
import { runSandbox } from './run-sandbox.ts';

/** What `docker run` says with when it is not the command that failed (Docker CLI reference, exit status). */
const ownFailure = 125;

/** What stands before the command of the front: whose images, from where, in which sandbox. */
export interface DockerContext {
  store: Store;
  mirrors: Record<string, string>;
  engine: string | undefined;
  /** The program of an engine that is one of the host's. */
  dockerCommand: string | undefined;
  invocation: Invocation;
}

/**
 * `docker run`: one process in an image, on the caller's terminal, with the caller's own ids unless --user says others.
 * What it writes outside of its mounts is not kept, and the image itself is not changed.
 */
export async function runContainer(args: readonly string[], context: DockerContext): Promise<number> {
  try {
    return await runOptions(parseDockerRun(args), context);
  } catch (error) {
    if (!isFailure(error)) throw error;
    context.invocation.stderr(`${formatFailure(error)}\n`);
    return ownFailure;
  }
}

async function runOptions(options: DockerRunOptions, context: DockerContext): Promise<number> {
  const { invocation } = context;
  for (const notice of options.notices) invocation.stderr(`${notice}\n`);
  let image = await findImage(options, context);
  const engine = await selectEngine(context.engine, { dockerCommand: context.dockerCommand });
  if (engine.warning !== undefined) invocation.stderr(`${engine.warning}\n`);
  if (engine.prepare) image = { ...image, rootfs: await engine.prepare(image.rootfs, invocation.signal) };
  const folder = mkdtempSync(join(tmpdir(), 'cwl-docker-'));
  try {
    if (options.cidfile !== undefined) {
      writeFileSync(options.cidfile, randomBytes(32).toString('hex'), { flag: 'wx' });
    }
    const temporary = join(folder, 'engine');
    mkdirSync(temporary);
    const sandbox = { ...planSandbox(options, image, folder), gpus: await chooseGpus(options.gpus) };
    return await runSandbox(engine, sandbox, temporary, invocation.signal);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function planSandbox(options: DockerRunOptions, image: Image, folder: string): Sandbox {
  const { config } = image;
  const entrypoint =
    options.entrypoint === undefined ? config.entrypoint : options.entrypoint === '' ? [] : [options.entrypoint];
  // The image's command belongs to its own entry point.
  const own = options.entrypoint === undefined ? config.command : [];
  const argv = [...entrypoint, ...(options.command.length > 0 ? options.command : own)];
  if (argv.length === 0)
    throw usageFailure(`docker run: ${image.reference} has no command of its own, and none is given`);
  for (const { host } of options.binds) mkdirIfMissing(host);
  const cwd = posix.resolve('/', options.workdir ?? config.workingDirectory ?? '/');
  const user = options.user === undefined ? undefined : findUser(fromText(image.rootfs), options.user);
  if (options.user !== undefined && !user) {
    throw new Failure('image/no-such-user', `${image.reference} has no user ${options.user}`);
  }
  const isOwn = user?.uid === process.getuid?.() && user?.gid === process.getgid?.();
  return {
    rootfs: image.rootfs,
    binds: [...planScratch(options, cwd, image.rootfs, folder), ...options.binds],
    cwd,
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/tmp',
      ...config.env,
      ...options.env,
    },
    argv,
    network: options.network,
    ...(user && !isOwn ? { user: { uid: user.uid, gid: user.gid } } : {}),
    ...(image.minimumKernel && isOlder(release(), image.minimumKernel) ? { kernelRelease: image.minimumKernel } : {}),
  };
}

async function chooseGpus(wanted: DockerRunOptions['gpus']): Promise<GpuAccess | undefined> {
  if (wanted === undefined || wanted === 0) return undefined;
  const { findGpus } = await import('./gpu-node.ts');
  const names = Array.isArray(wanted) ? wanted.join(',') : process.env.CUDA_VISIBLE_DEVICES;
  const node = await findGpus({ root: process.env.NVIDIA_DRIVER_ROOT, visible: names });
  const count = Array.isArray(wanted) ? wanted.length : wanted === 'all' ? node.gpus.length : wanted;
  if (node.missing === undefined && node.gpus.length >= count) {
    return toAccess(
      node,
      node.gpus.slice(0, count).map(gpu => gpu.id),
    );
  }
  const missing = node.missing ?? `of the ${count} GPUs asked for, there are ${node.gpus.length}`;
  throw new Failure('docker/gpus', `docker run: --gpus: ${missing}`, { hint: 'Run it on a node with GPUs.' });
}

/** Places that programs expect to be able to write to, those that were asked for, and a working directory if it lacks. */
function planScratch(options: DockerRunOptions, cwd: string, rootfs: string, folder: string): Sandbox['binds'] {
  const usual = options.isReadOnly ? [] : ['/tmp', '/var/tmp'];
  const places = [...usual, ...options.scratch, ...options.binds.map(bind => bind.guest)];
  const isThere = places.some(guest => `${cwd}/`.startsWith(`${guest}/`)) || existsSync(insideOf(rootfs, cwd));
  return [...new Set([...usual, ...options.scratch, ...(isThere ? [] : [cwd])])]
    .filter(guest => !options.binds.some(bind => bind.guest === guest))
    .map((guest, index) => {
      const host = join(folder, `scratch-${index}`);
      mkdirSync(host);
      return { host, guest, writable: true };
    });
}

function insideOf(rootfs: string, path: string): string {
  return join(rootfs, toText(resolveInside(fromText(rootfs), fromText(path))));
}

/** As Docker does with the host's side of a volume. */
function mkdirIfMissing(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

async function findImage(options: DockerRunOptions, context: DockerContext): Promise<Image> {
  const { store, mirrors, invocation } = context;
  const found = store.find(options.image);
  if (found && /^(sha256:)?[0-9a-f]{6,64}$/.test(options.image)) {
    return store.openRootfs({ ...found, reference: options.image }, invocation);
  }
  const [{ pullImage }, { parsePlatform }] = await Promise.all([
    import('#image/pull.ts'),
    import('#registry/platform.ts'),
  ]);
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const printer = makeProgressPrinter(invocation.stderr);
  try {
    const { pull: policy } = options;
    const { signal } = invocation;
    return await pullImage(options.image, { store, mirrors, platform, policy, signal, onProgress: printer.show });
  } finally {
    printer.end();
  }
}
