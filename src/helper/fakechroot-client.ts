import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Answer, formatCommand } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import { type FakechrootView, makeFakechrootEngine, planShellTest } from '#engine/fakechroot-engine.ts';
import type { Engine } from '#engine/sandbox.ts';
import { type EngineTest, planFeatures, type SelfTestResult } from '#engine/self-test.ts';
import { relinkRootfs } from '#image/relink.ts';
import { type ClientOptions, findProgram, type PreparedEngine } from './container-client.ts';
import { listLibraryFolders, readInterpreter } from './dynamic-loader.ts';
import { removeTree } from './remove-tree.ts';
import { ask } from './self-test.ts';

/** The folder of an image's view, beside its root file system. */
const viewName = 'fakechroot';

const hint = 'Use --engine auto, or an image that is built on glibc like that of this node.';

/**
 * The engine `fakechroot`, if this node has the library and it can hold the node's own shell. Whether it can hold those of
 * an image is seen when that is prepared.
 */
export async function findFakechroot({
  tools,
  folder,
  command,
}: ClientOptions): Promise<{ engine: PreparedEngine | undefined; tested: EngineTest[] }> {
  const library = await findLibrary(command);
  const { landlock } = await ask(planFeatures(tools.launcher));
  const views = new Map<string, FakechrootView>();
  const engine = makeFakechrootEngine({ tools, library, landlock, views });
  const test = (rootfs: string) => testView(engine, rootfs, folder);
  const result = await testOwn(views, library, folder, test);
  const prepare = async (rootfs: string, signal: AbortSignal): Promise<string> => {
    const view = await openView(rootfs, signal);
    views.set(view, await describeView(view, library));
    const { works, message } = await test(view);
    if (works) return view;
    throw new Failure('engine/unusable', `fakechroot can't hold the programs of ${rootfs}: ${message}`, { hint });
  };
  return { engine: result.works ? { ...engine, prepare } : undefined, tested: [{ engine: engine.name, ...result }] };
}

/** The preload library: of the program that is named or found, which is asked what it loads, or the one that is named. */
async function findLibrary(command = 'fakechroot'): Promise<string> {
  if (/\.so(\.[0-9.]+)?$/.test(command) && existsSync(command)) return realpathSync(command);
  const program = findProgram(command);
  if (program === undefined) {
    throw new Failure('engine/no-fakechroot', `there is no ${command} here`, {
      hint: 'Load its module or put it into PATH, or name the program or libfakechroot.so: --docker-command PATH, dockerCommand of the cluster. --engine auto needs none.',
    });
  }
  const { PATH = '/usr/bin:/bin' } = process.env;
  const argv = [program, '--', 'cat', '/proc/self/maps'];
  const { stdout, stderr } = await ask<Answer>({ argv, env: { PATH }, parse: answer => answer });
  const library = /\s(\/\S*libfakechroot\S*)$/m.exec(stdout)?.[1];
  if (library !== undefined) return library;
  throw new Failure('engine/no-fakechroot', `${formatCommand(argv)} loads no libfakechroot: ${stderr.trim()}`, {
    hint: 'Install the package that holds it (libfakechroot), or name it: --docker-command PATH.',
  });
}

/** Looks whether this node's own shell, and the libraries that it needs, can be held. */
async function testOwn(
  views: Map<string, FakechrootView>,
  library: string,
  folder: string,
  test: (rootfs: string) => Promise<SelfTestResult>,
): Promise<SelfTestResult> {
  mkdirSync(folder, { recursive: true });
  const place = mkdtempSync(join(realpathSync(folder), 'fakechroot-'));
  const rootfs = join(place, 'rootfs');
  try {
    const shell = realpathSync('/bin/sh');
    const parse = ({ stdout }: Answer) => [...stdout.matchAll(/(\/\S+) \(0x/g)].map(match => match[1] as string);
    const libraries = await ask({ argv: ['ldd', shell], env: { PATH: '/usr/bin:/bin' }, parse });
    for (const path of ['/bin/sh', ...libraries]) copyInto(rootfs, path);
    views.set(rootfs, await describeView(rootfs, library));
    return await test(rootfs);
  } catch (error) {
    if (error instanceof Failure) return { works: false, message: `fakechroot: ${error.message}. ${error.hint ?? ''}` };
    throw error;
  } finally {
    views.delete(rootfs);
    rmSync(place, { recursive: true, force: true });
  }
}

function copyInto(rootfs: string, path: string): void {
  mkdirSync(join(rootfs, dirname(path)), { recursive: true });
  copyFileSync(path, join(rootfs, path));
}

/** The root file system without links that lead to the host: made once for each image, beside it. */
async function openView(rootfs: string, signal: AbortSignal): Promise<string> {
  // A sandbox that is opened again names the view.
  if (basename(dirname(rootfs)) === viewName) return realpathSync(rootfs);
  const folder = join(dirname(realpathSync(rootfs)), viewName);
  const view = join(folder, 'root');
  if (existsSync(view)) return view;
  let draft: string | undefined;
  try {
    draft = mkdtempSync(`${folder}-`);
    // Who may use the store may use this.
    chmodSync(draft, statSync(dirname(folder)).mode & 0o777);
    await relinkRootfs(rootfs, join(draft, 'root'), signal);
    renameSync(draft, folder);
  } catch (error) {
    if (draft !== undefined) await removeTree(draft);
    // Another process was faster.
    if (existsSync(view)) return view;
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new Failure('engine/view', `fakechroot needs a copy of ${rootfs} with other links, which can't be made`, {
      hint: 'Choose a folder for images that you can write to (--image-store, imageStore).',
      cause: error,
    });
  }
  return view;
}

/** Finds out by running it whether the library can be loaded by the image's own loader, beside the image's C library. */
async function describeView(view: string, library: string): Promise<FakechrootView> {
  const shell = join(view, 'bin/sh');
  const refuse = (why: string) => new Failure('engine/unusable', `fakechroot can't run ${view}: ${why}`, { hint });
  if (!existsSync(shell)) throw refuse('it has no /bin/sh, with which its programs are started');
  const interpreter = readInterpreter(shell);
  if (interpreter === undefined) throw refuse('its /bin/sh is a static program, which loads no library');
  if (/\/ld-musl-/.test(interpreter)) throw refuse('it is built on musl, and libfakechroot on glibc');
  const loader = join(view, interpreter);
  if (!existsSync(loader)) throw refuse(`its loader ${interpreter} is missing`);
  const libraries = listLibraryFolders(view);
  const load = (...own: string[]) =>
    ask<Answer>({
      argv: [loader, ...own, shell, '-c', ':'],
      env: { LD_PRELOAD: library, LD_LIBRARY_PATH: libraries.join(':'), FAKECHROOT_DETECT: '1' },
      parse: answer => answer,
    });
  const named = await load('--argv0', 'sh');
  const hasNames = /^fakechroot /.test(named.stdout);
  const { stdout, stderr } = hasNames ? named : await load();
  if (/^fakechroot /.test(stdout)) return { loader, hasNames, libraries };
  const version = /version `(GLIBC_[0-9.]+)' not found/.exec(stderr)?.[1];
  if (version !== undefined) {
    throw new Failure(
      'engine/unusable',
      `fakechroot can't run ${view}: ${library} needs ${version.replace('_', ' ')}, and the C library in there is older`,
      {
        hint: 'Build libfakechroot on a system as old as the image, and name it: --docker-command PATH/libfakechroot.so. Or use --engine auto.',
      },
    );
  }
  throw refuse(`its loader does not load ${library}: ${stderr.trim().split('\n')[0] || 'without a word'}`);
}

async function testView(engine: Engine, rootfs: string, folder: string): Promise<SelfTestResult> {
  const place = mkdtempSync(join(folder, 'fakechroot-test-'));
  try {
    const files = {
      rootfs,
      inside: join(place, 'inside'),
      outside: join(place, 'outside'),
      temporary: join(place, 't'),
    };
    mkdirSync(files.temporary);
    for (const path of [files.inside, files.outside]) writeFileSync(path, '');
    return await ask(planShellTest(engine, files));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
