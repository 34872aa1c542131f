// Builds dist/kit/linux-{x64,arm64}: what the extension puts on a cluster. Needs dist/helper.cjs (esbuild.mjs).
// Everything in it is pinned: the static programs and the libraries are in native/, Node comes from npm by its digest.
// A second build takes what was fetched and packed from build/kit.
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { formatKitContent, type Kit, type KitPiece, type Platform } from '#base/kit.ts';
import { version } from '#base/version.ts';
import { buildRuntime } from './kit/runtime.ts';

const root = join(import.meta.dirname, '..');
const platforms: Platform[] = ['linux-x64', 'linux-arm64'];

checkPrograms();
for (const platform of platforms) buildKit(platform);
copyProotSource();

function buildKit(platform: Platform): void {
  const folder = join(root, 'dist/kit', platform);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  const built = buildRuntime(platform, join(root, 'native/runtime-libs'), join(root, 'build/kit'));
  writeFileSync(join(folder, built.runtime.archive), built.archive);
  const programs = readdirSync(join(root, 'native/bin', platform)).sort();
  for (const name of programs) copyFileSync(join(root, 'native/bin', platform, name), join(folder, 'bin', name));
  for (const { name, data } of built.licences) {
    mkdirSync(join(folder, 'licences', dirname(name)), { recursive: true });
    writeFileSync(join(folder, 'licences', name), data);
  }
  writeFileSync(join(folder, 'licences/VERSIONS'), `${built.versions.join('\n')}\n`);

  const piece = (path: string, source: string, mode: number): KitPiece => {
    const data = readFileSync(join(folder, source));
    return { path, source, sha256: createHash('sha256').update(data).digest('hex'), size: data.length, mode };
  };
  const pieces = [
    piece('helper.cjs', relative(folder, join(root, 'dist/helper.cjs')), 0o644),
    piece('helper-main.cjs', relative(folder, join(root, 'dist/helper-main.cjs')), 0o644),
    piece('quickjs.wasm', relative(folder, join(root, 'dist/quickjs.wasm')), 0o644),
    ...programs.map(name => piece(`bin/${name}`, `bin/${name}`, 0o755)),
    piece(built.runtime.archive, built.runtime.archive, 0o644),
  ];
  const digest = createHash('sha256').update(formatKitContent(pieces)).digest('hex');
  const kit: Kit = { platform, version, digest, pieces, runtime: built.runtime };
  writeFileSync(join(folder, 'kit.json'), `${JSON.stringify(kit, null, 2)}\n`);
  const size = pieces.reduce((sum, each) => sum + each.size, 0);
  console.log(`dist/kit/${platform}: ${(size / 1e6).toFixed(1)} MB, ${digest.slice(0, 12)}`);
}

/** The programs in the repository are those whose digests are noted beside them. */
function checkPrograms(): void {
  if (!existsSync(join(root, 'dist/helper.cjs'))) throw new Error('there is no dist/helper.cjs: run esbuild.mjs first');
  for (const folder of ['native/bin', 'native/runtime-libs']) {
    for (const line of readFileSync(join(root, folder, 'SHA256SUMS'), 'utf8')
      .trim()
      .split('\n')) {
      const [digest, name] = line.split(/\s+/) as [string, string];
      const found = createHash('sha256')
        .update(readFileSync(join(root, folder, name)))
        .digest('hex');
      if (found !== digest) throw new Error(`${folder}/${name} is not what ${folder}/SHA256SUMS says`);
    }
  }
}

/** PRoot is under the GNU General Public License: its complete source goes wherever the binary goes. */
function copyProotSource(): void {
  const folder = join(root, 'dist/kit/source');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ['proot', 'licences']) cpSync(join(root, 'native', name), join(folder, name), { recursive: true });
  for (const name of readdirSync(join(root, 'native'), { withFileTypes: true })) {
    if (name.isFile()) copyFileSync(join(root, 'native', name.name), join(folder, name.name));
  }
}
