// THIRD-PARTY-NOTICES.txt: the licences of all that the package carries and others wrote, found by what the bundles were
// really made of.
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
  if (!file && !about.license) throw new Error(`${name} is bundled and names no licence`);
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `Licence: ${about.license}`;
  return `${name} ${about.version} (${about.license})\n${about.homepage ?? ''}\n\n${text}\n`;
}

/** The kit brings the texts for its own programs along; the same text is given once. */
function formatKit(root: string): string[] {
  const paths = globSync('dist/kit/**/{LICENSE,LICENCE,COPYING,NOTICE}*', { cwd: root }).sort();
  const unique = new Map(paths.map(path => [readFileSync(join(root, path), 'utf8').trim(), path]));
  return [...unique].map(([text, path]) => `${path}\n\n${text}\n`);
}
