import type { Command, Query } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import { deviceFolder, devices, planNetworkFiles, topology } from './host-files.ts';
import type { Bind, Engine, Sandbox, Tools } from './sandbox.ts';
import { judgeSelfTest, type SelfTestResult } from './self-test.ts';

/** What fakechroot has to know of a root file system that it can show. */
export interface FakechrootView {
  /** The image's own dynamic loader, on the host. */
  loader: string;
  /** Whether that loader can give a program another name than its path (glibc 2.33). */
  hasNames: boolean;
  /** Where the image's loader looks for libraries, on the host: it would look in the host's places by itself. */
  libraries: string[];
}

export interface FakechrootOptions {
  tools: Tools;
  /** libfakechroot.so of the host. */
  library: string;
  /** Version of the kernel's Landlock; 0: none. */
  landlock: number;
  /** The views that there are, by path: a root file system without absolute links, which would lead to the host. */
  views: ReadonlyMap<string, FakechrootView>;
}

/**
 * fakechroot: a library that is loaded before the C library and puts the root in front of the paths that a program asks
 * for (fakechroot(1)). It needs nothing of the kernel. A program that does not ask the C library sees the host; where the
 * kernel has Landlock, it can't read what it sees.
 */
export function makeFakechrootEngine(options: FakechrootOptions): Engine {
  const isKept = options.landlock >= 3;
  return {
    name: 'fakechroot',
    rules: isKept
      ? { network: 'open', writes: 'kernel', inputs: 'kernel', rootfs: 'kernel' }
      : { network: 'open', writes: 'open', inputs: 'checked', rootfs: 'checked' },
    warning: `fakechroot is no sandbox: static programs, and those that make system calls themselves, ${
      isKept ? "meet the host's paths, of which they can read only what the step was given" : 'see and change the host'
    }; the network is open`,
    findRoot: toRoot,
    planCommand: (sandbox, temporary) => planFakechroot(sandbox, temporary, options),
  };
}

/** Does what the launcher's self-test does, in the words of a shell: a static program would say nothing of fakechroot. */
export function planShellTest(
  engine: Engine,
  files: { rootfs: string; inside: string; outside: string; temporary: string },
): Query<SelfTestResult> {
  const sandbox: Sandbox = {
    rootfs: files.rootfs,
    binds: [{ host: files.inside, guest: '/.cwl-inside', writable: false }],
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    argv: ['/bin/sh', '-c', test, 'sh', files.outside],
    network: false,
  };
  return {
    ...engine.planCommand(sandbox, files.temporary),
    parse: answer => judgeSelfTest(engine, answer),
  };
}

const deviceLinks = Object.keys(deviceFolder.links).map(name => `/dev/${name}`);

const test = `see() { if [ -e "$2" ]; then echo "$1=1"; else echo "$1=0"; fi; }
see inside /.cwl-inside; see outside "$1"; echo untranslated=0
if (: >>/.cwl-inside) 2>/dev/null; then echo write=1; else echo write=0; fi`;

function planFakechroot(sandbox: Sandbox, temporary: string, options: FakechrootOptions): Command {
  const { tools, library } = options;
  const { rootfs, cwd } = sandbox;
  checkSandbox(sandbox);
  const view = options.views.get(rootfs as string);
  if (!view) throw new Error(`${rootfs} was not prepared for fakechroot`);
  // What is the same on both sides, and has no other name.
  const shown = [
    '/proc',
    ...devices,
    ...deviceLinks,
    topology,
    ...planNetworkFiles(true, sandbox.binds).map(bind => bind.host),
  ];
  const binds = [...sandbox.binds].sort((a, b) => (a.guest < b.guest ? -1 : a.guest > b.guest ? 1 : 0));
  const argv = [
    ...[tools.launcher, '--die-with-parent', '--no-32-bit', '--fake-root', rootfs as string, toRoot(temporary)],
    ...shown.flatMap(path => ['--show', path]),
    ...binds.flatMap(({ host, guest, writable }) => [writable ? '--link' : '--link-ro', host, guest]),
    ...(options.landlock >= 2 ? planLandlock(sandbox, temporary, library) : []),
    '--',
    view.loader,
    ...(view.hasNames ? ['--argv0', 'sh'] : []),
    // The shell goes there, finds the program and gives it to its loader, as only a program inside can.
    ...[`${rootfs}/bin/sh`, '-c', 'cd "$1" || exit 125; unset OLDPWD; shift; exec "$@"', 'sh', cwd, ...sandbox.argv],
  ];
  return { argv, env: planEnvironment(sandbox, view, options), cwd: temporary };
}

function planLandlock(sandbox: Sandbox, temporary: string, library: string): string[] {
  const files = planNetworkFiles(true, sandbox.binds).map(bind => bind.host);
  const readable = [sandbox.rootfs as string, toRoot(temporary), library, topology, ...files];
  const writable = [...devices, '/proc'];
  const bound = (bind: Bind) => [bind.writable ? '--write' : '--read', bind.host];
  return [
    ...readable.flatMap(path => ['--read', path]),
    ...writable.flatMap(path => ['--write', path]),
    ...sandbox.binds.flatMap(bound),
  ];
}

/** What fakechroot needs to hold its programs, over what the tool gets. Paths of libraries are the host's. */
function planEnvironment(sandbox: Sandbox, view: FakechrootView, { library }: FakechrootOptions) {
  const { LD_LIBRARY_PATH: wanted = '', LD_PRELOAD: preload = '', ...env } = sandbox.env;
  const inside = (text: string, separator: RegExp) =>
    text.split(separator).flatMap(path => (path === '' ? [] : path.startsWith('/') ? [sandbox.rootfs + path] : [path]));
  return {
    // Shells take it from here as long as it is true; the kernel would tell the name on the host.
    PWD: sandbox.cwd,
    ...env,
    LD_PRELOAD: [library, ...inside(preload, /[: ]/)].join(':'),
    LD_LIBRARY_PATH: [...inside(wanted, /[:;]/), ...view.libraries].join(':'),
    FAKECHROOT: 'true',
    FAKECHROOT_ELFLOADER: view.loader,
    ...(view.hasNames && { FAKECHROOT_ELFLOADER_OPT_ARGV0: '--argv0' }),
  };
}

function checkSandbox({ rootfs, isRootfsWritable, user, kernelRelease, env, gpus }: Sandbox): void {
  const hint = 'Use --engine proot.';
  if (rootfs === undefined) throw new Failure('engine/no-image', 'fakechroot runs nothing without an image');
  if (/[:; ]/.test(rootfs)) {
    throw new Failure(
      'engine/path',
      `fakechroot can't run ${rootfs}: there is a colon, semicolon or blank in its path`,
      {
        hint: 'Choose another folder for images (--image-store, imageStore).',
      },
    );
  }
  if (isRootfsWritable) throw new Failure('engine/read-only', 'fakechroot changes no root file system here', { hint });
  if (user) throw new Failure('engine/user', 'fakechroot keeps the ids of the caller', { hint });
  if (gpus) throw new Failure('engine/gpus', "fakechroot can't give a tool the driver of the GPUs", { hint });
  if (kernelRelease !== undefined) {
    throw new Failure(
      'engine/kernel-too-old',
      `the image needs Linux ${kernelRelease}, which fakechroot cannot pretend`,
      {
        hint: 'Use --engine proot, which can.',
      },
    );
  }
  const own = Object.keys(env).find(name => /^FAKECHROOT/.test(name));
  if (own) throw new Failure('engine/environment', `${own} is fakechroot's own variable, and can't be set`, { hint });
}

function toRoot(temporary: string): string {
  return `${temporary}/root`;
}
