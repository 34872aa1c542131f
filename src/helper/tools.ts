import { accessSync, constants, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { Tools } from '#engine/sandbox.ts';

/**
 * The static programs of the kit beside this bundle: `bin/` where the kit was installed, `kit/linux-ARCH/bin/` in a
 * checkout's `dist`.
 */
export function findTools(bundle = process.argv[1] ?? ''): Tools {
  const proot = findProgram('proot', bundle);
  if (proot !== undefined) {
    return {
      proot,
      prootLoader: findProgram('proot-loader', bundle),
      launcher: join(dirname(proot), 'launcher'),
      userns: findProgram('userns', bundle),
    };
  }
  throw new Failure('helper/no-kit', `no proot for linux-${process.arch} beside ${bundle}`, {
    hint: 'Install the kit again (CWL: Reinstall the helper), or run `npm run build` in a checkout.',
  });
}

/** The kit's program that starts tasks; undefined where there is none for this machine. */
export function findSpawner(): string | undefined {
  return findProgram('spawner', process.argv[1] ?? '');
}

/** The engine for JavaScript, a WebAssembly module: beside the bundle, or in its package where the sources run as they are. */
export function findQuickjs(bundle = process.argv[1] ?? ''): string {
  const beside = join(dirname(bundle), 'quickjs.wasm');
  if (existsSync(beside)) return beside;
  try {
    return createRequire(bundle).resolve('@jitl/quickjs-wasmfile-release-sync/wasm');
  } catch {
    return beside;
  }
}

function findProgram(name: string, bundle: string): string | undefined {
  const folder = dirname(bundle);
  const places = [join(folder, 'bin', name), join(folder, 'kit', `linux-${process.arch}`, 'bin', name)];
  return places.find(isExecutable);
}

/** True where this process may run the file. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
