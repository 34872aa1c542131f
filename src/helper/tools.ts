import { accessSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { Tools } from '#engine/sandbox.ts';

/**
 * The static programs of the kit beside this bundle: `bin/` where the kit was installed, `kit/linux-ARCH/bin/` in a
 * checkout's `dist`.
 */
export function findTools(bundle = process.argv[1] ?? ''): Tools {
  const folder = dirname(bundle);
  for (const bin of [join(folder, 'bin'), join(folder, 'kit', `linux-${process.arch}`, 'bin')]) {
    if (!isExecutable(join(bin, 'proot'))) continue;
    const optional = (name: string) => (isExecutable(join(bin, name)) ? join(bin, name) : undefined);
    return {
      proot: join(bin, 'proot'),
      prootLoader: optional('proot-loader'),
      launcher: join(bin, 'launcher'),
      userns: optional('userns'),
    };
  }
  throw new Failure('helper/no-kit', `no proot for linux-${process.arch} beside ${bundle}`, {
    hint: 'Install the kit again (CWL: Reinstall the helper), or run `npm run build` in a checkout.',
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
