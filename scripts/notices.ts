// THIRD-PARTY-NOTICES.txt: the licences of all that the package carries and others wrote, found by what the bundles were
// really made of.
import { execFileSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text of THIRD-PARTY-NOTICES.txt for the bundles and the kit in `dist`; throws where a licence is missing. */
export function formatNotices(root: string): string {
  const intro =
    'CWL on Clusters is licensed under the Apache License 2.0 (see LICENSE). It contains the following works.\n';
  const parts = [...findPackages(root)].sort().map(name => formatPackage(root, name));
  return [intro, ...parts, ...formatKit(root)].join(`\n${'-'.repeat(100)}\n\n`);
}

/** Names of the npm packages that went into a bundle, from the bundles' source maps. */
function findPackages(root: string): Set<string> {
  const names = new Set<string>();
  for (const map of globSync('dist/*.map', { cwd: root })) {
    const { sources } = JSON.parse(readFileSync(join(root, map), 'utf8')) as { sources: string[] };
    for (const source of sources) {
      const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(source)?.[1];
      if (name) names.add(name);
    }
  }
  return names;
}

function formatPackage(root: string, name: string): string {
  const folder = join(root, 'node_modules', name);
  const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find(entry => /^(licen[cs]e|copying)/i.test(entry));
  // Older packages have a list.
  const licence = about.license ?? about.licenses?.map((each: { type: string }) => each.type).join(', ');
  if (!file && !licence) throw new Error(`${name} is bundled and names no licence`);
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `Licence: ${licence}`;
  return `${name} ${about.version} (${licence})\n${about.homepage ?? ''}\n\n${text}\n`;
}

/** The programs and libraries of the kit. The same text is given once, whatever platforms it belongs to. */
function formatKit(root: string): string[] {
  const archive = join(root, 'native/proot/proot_5.4.0.orig.tar.gz');
  const copying = execFileSync('tar', ['-xzOf', archive, 'proot-5.4.0/COPYING'], { encoding: 'utf8' });
  const proot = `PRoot 5.4.0, patched (GPL-2.0-or-later): bin/proot of the kit\nIts source, the patch and the script that builds it are in dist/kit/source.\n\n${copying.trim()}\n`;
  const linked = ['musl', 'talloc', 'uthash'].map(name => {
    const text = readFileSync(join(root, 'scripts/licences', `${name}.txt`), 'utf8').trim();
    return `${name}: in the static programs of the kit\n\n${text}\n`;
  });
  const texts = new Map<string, string>();
  for (const path of globSync('dist/kit/*/licences/*/*', { cwd: root }).sort()) {
    const name = path.split('/').at(-2) as string;
    const text = readFileSync(join(root, path), 'utf8').trim();
    texts.set(
      text,
      [...(texts.get(text)?.split(', ') ?? []), name].filter((each, i, all) => all.indexOf(each) === i).join(', '),
    );
  }
  const runtime = [...texts].map(([text, names]) => `${names}: in the JavaScript runtime of the kit\n\n${text}\n`);
  return [proot, ...linked, ...runtime];
}
