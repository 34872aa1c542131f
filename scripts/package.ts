// `npm run package`: build/cwl-on-clusters-VERSION.vsix, the extension as it is installed.
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatNotices } from './notices.ts';

const root = join(import.meta.dirname, '..');
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const file = join('build', `${name}-${version}.vsix`);

const run = (program: string, args: string[]) =>
  execFileSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });

mkdirSync(join(root, 'build'), { recursive: true });
run(process.execPath, ['scripts/build.mjs', '--minify']);
writeFileSync(join(root, 'dist', 'THIRD-PARTY-NOTICES.txt'), formatNotices(root));
// They have told what went into the bundles; nobody who installs the package needs them.
for (const map of globSync('dist/*.map', { cwd: root })) rmSync(join(root, map));
// Everything is in the bundles: the package holds no node_modules.
run(join(root, 'node_modules', '.bin', 'vsce'), [
  'package',
  '--no-dependencies',
  '--allow-missing-repository',
  '--no-rewrite-relative-links',
  '--out',
  file,
]);
console.log(`${file}: ${(statSync(join(root, file)).size / 1e6).toFixed(1)} MB`);
