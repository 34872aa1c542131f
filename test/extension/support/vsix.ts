// The extension as it is installed: packaged from what the last build left in dist.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../../..');

/** Packages the checkout as it is built now; answers the path of the `.vsix`. */
export async function packageExtension(): Promise<string> {
  for (const file of ['extension.cjs', 'language.cjs', 'helper.cjs', 'kit']) {
    if (!existsSync(join(root, 'dist', file))) throw new Error(`dist/${file} is missing: npm run build`);
  }
  mkdirSync(join(root, 'build'), { recursive: true });
  const file = join(root, 'build', 'test.vsix');
  const flags = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links', '--out', file];
  // Building it anew is not its business here.
  const env = { ...process.env, npm_config_ignore_scripts: 'true' };
  await promisify(execFile)(join(root, 'node_modules/.bin/vsce'), ['package', ...flags], { cwd: root, env });
  return file;
}
