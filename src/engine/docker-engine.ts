import type { Command } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import { bindGpus, nameGpus } from './gpus.ts';
import type { Bind, Engine, Sandbox } from './sandbox.ts';

/** A program that takes Docker's command line, and how it is to be used on this host. */
export interface DockerClient {
  /** Its path. */
  program: string;
  /** Recorded for each task. */
  name: string;
  /** `podman` runs a root file system where it lies; to all others it has to be given as an image ({@link planImport}). */
  isInPlace: boolean;
  /** `keep-id`: users namespace in which the caller keeps the ids; undefined: root inside is the caller outside. */
  userns: 'keep-id' | undefined;
  /** False for programs that are neither Docker nor podman: their promises are not relied on. */
  isKnown: boolean;
  /** True for podman, which has options of its own. */
  isPodman: boolean;
  /**
   * True where GPUs are given by Docker's `--gpus`, for which NVIDIA's toolkit is installed beside the daemon; else the
   * driver's files are bound as all others, which needs nothing but them.
   */
  hasGpuOption?: boolean;
  /** The client's own environment. */
  env: Record<string, string>;
  /** The caller's ids, for a daemon that would take root's; undefined where the client runs as the caller. */
  user?: { uid: number; gid: number };
}

/** Docker and all that is like it: each task is a container, which is gone when it has ended. */
export function makeDockerEngine(client: DockerClient): Engine {
  return {
    name: client.name,
    rules: client.isKnown
      ? { network: 'kernel', writes: 'kernel', inputs: 'kernel', rootfs: 'kernel' }
      : { network: 'open', writes: 'open', inputs: 'checked', rootfs: client.isInPlace ? 'checked' : 'open' },
    planCommand: (sandbox, temporary, { isTerminal = false } = {}) => planRun(client, sandbox, temporary, isTerminal),
    // The client's death would not be that of the container.
    planEnd: temporary => ({
      argv: ['/bin/sh', '-c', 'id=$(cat "$1") && exec "$0" kill "$id"', client.program, toIdFile(temporary)],
      env: client.env,
      cwd: '/',
    }),
  };
}

/** How a root file system becomes an image of the client's: asks whether it is there, and takes a tar stream of it. */
export function planImport(client: DockerClient, rootfs: string): { look: Command; make: Command; remove: Command } {
  const name = toImageName(rootfs);
  const plan = (...args: string[]): Command => ({ argv: [client.program, ...args], env: client.env, cwd: '/' });
  return { look: plan('image', 'inspect', name), make: plan('import', '-', name), remove: plan('rmi', name) };
}

/** The store's folder of an image has the name of its digest, so the same name is the same image on every host. */
function toImageName(rootfs: string): string {
  const folder = rootfs.split('/').at(-2) ?? '';
  return `cwl-on-clusters:${folder.replaceAll(/[^A-Za-z0-9_.-]/g, '_').slice(0, 128)}`;
}

function planRun(client: DockerClient, given: Sandbox, temporary: string, isTerminal: boolean): Command {
  const sandbox = client.hasGpuOption ? given : bindGpus(given);
  const { rootfs, network, cwd, argv, gpus } = sandbox;
  checkSandbox(client, sandbox);
  const { byName, byValue } = planEnvironment(client, { ...sandbox.env, ...nameGpus(sandbox) });
  const devices = client.hasGpuOption ? [] : (gpus?.devices.map(each => each.guest) ?? []);
  const isDevice = (bind: Bind) => devices.includes(bind.guest);
  const user = sandbox.user ?? client.user;
  return {
    argv: [
      client.program,
      ...['run', '--rm', '--interactive', ...(isTerminal ? ['--tty'] : [])],
      ...['--cidfile', toIdFile(temporary), '--log-driver', 'none', '--security-opt', 'label=disable'],
      ...['--network', network ? 'host' : 'none', '--read-only'],
      // No proxies of the caller's, and nowhere to write but what is bound.
      ...(client.isPodman ? ['--http-proxy=false', '--read-only-tmpfs=false'] : []),
      ...(client.userns && !sandbox.user ? ['--userns', client.userns] : []),
      ...(user ? ['--user', `${user.uid}:${user.gid}`] : []),
      ...Object.keys(byName).flatMap(name => ['--env', name]),
      ...Object.entries(byValue).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      ...sandbox.binds.filter(isDevice).flatMap(({ host, guest }) => ['--device', `${host}:${guest}`]),
      ...sandbox.binds.filter(bind => !isDevice(bind)).flatMap(planBind),
      // The value is a line of CSV, in which a list needs quotes.
      ...(gpus && client.hasGpuOption ? ['--gpus', `"device=${gpus.ids.join(',')}"`] : []),
      ...['--workdir', cwd],
      // Above the root, which nothing may be made in, the layer takes the places to bind to.
      ...(client.isInPlace ? ['--rootfs', `${rootfs}:O`] : ['--pull', 'never', toImageName(rootfs as string)]),
      ...argv,
    ],
    env: { ...byName, ...client.env },
    cwd: temporary,
  };
}

function checkSandbox(client: DockerClient, { rootfs, isRootfsWritable, kernelRelease }: Sandbox): void {
  const hint = 'Use --engine proot.';
  if (rootfs === undefined) throw new Failure('engine/no-image', `${client.name} runs nothing without an image`);
  if (client.isInPlace && rootfs.includes(':')) {
    throw new Failure('engine/path', `${client.name} can't run ${rootfs}: there is a colon in its path`, {
      hint: 'Choose another folder for images (--image-store, imageStore).',
    });
  }
  if (isRootfsWritable) {
    throw new Failure('engine/read-only', `${client.name} keeps the root file system read-only`, { hint });
  }
  if (kernelRelease !== undefined) {
    throw new Failure(
      'engine/kernel-too-old',
      `the image needs Linux ${kernelRelease}, which ${client.name} cannot pretend`,
      { hint: 'Use --engine proot, which can.' },
    );
  }
}

/**
 * Values reach the container through the client's environment, where other users can't read them. Those that the client
 * itself, its loader or its language would heed must not be there: a document could lead it astray on the host. They are
 * places and settings, and stand on the command line.
 */
function planEnvironment(
  client: DockerClient,
  env: Record<string, string>,
): { byName: Record<string, string>; byValue: Record<string, string> } {
  const byName: Record<string, string> = {};
  const byValue: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    const isHeeded = heeded.test(name) || client.env[name] !== undefined;
    (isHeeded ? byValue : byName)[name] = value;
  }
  return { byName, byValue };
}

const heeded =
  /^(?:(?:LD|DYLD|XDG|DOCKER|PODMAN|_?CONTAINERS?|STORAGE|BUILDAH|UDOCKER|REGISTRY|PYTHON|PERL5?|RUBY|NODE|GLIBC|MALLOC|LC|SSL|DBUS|LISTEN|NOTIFY|BASH|SSH|GNUPG|_)\w*|GO[A-Z]*|PATH|HOME|USER|LOGNAME|SHELL|TMP|TEMP|TMPDIR|ENV|IFS|PS4|CDPATH|SHELLOPTS|GCONV_PATH|LOCPATH|NLSPATH|LANG|LANGUAGE|TZ|TZDIR|RES_OPTIONS|HOSTALIASES|LOCALDOMAIN|TERM|HTTPS?_PROXY|ALL_PROXY|NO_PROXY)$/i;

/** `--volume` has no way to write a colon, and podman's `--mount` none to write a comma. */
function planBind({ host, guest, writable }: Bind): string[] {
  const paths = host + guest;
  if (!paths.includes(':')) return ['--volume', `${host}:${guest}${writable ? '' : ':ro'}`];
  if (!/[,"\n]/.test(paths)) {
    return ['--mount', `type=bind,source=${host},target=${guest}${writable ? '' : ',readonly'}`];
  }
  throw new Failure('engine/path', `a container can't be given ${host}: there are a colon and a comma or quote in it`, {
    hint: 'Rename it, or use --engine auto.',
  });
}

function toIdFile(temporary: string): string {
  return `${temporary}/container-id`;
}
