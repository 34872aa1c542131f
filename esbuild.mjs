// Builds the bundles: the extension, the language server, the helper that runs on the cluster, and the webview.

import { existsSync } from 'node:fs';
import { build } from 'esbuild';

const minify = process.argv.includes('--minify');
const common = { bundle: true, sourcemap: 'linked', legalComments: 'none', logLevel: 'warning', minify };
// ssh2's optional natives are used when present and are never bundled.
const node = {
  ...common,
  platform: 'node',
  format: 'cjs',
  external: ['vscode', 'cpu-features', './crypto/build/Release/sshcrypto.node'],
};

const bundles = [
  { ...node, target: 'node20', entryPoints: ['src/extension/main.ts'], outfile: 'dist/extension.cjs' },
  { ...node, target: 'node20', entryPoints: ['src/language/main.ts'], outfile: 'dist/language.cjs' },
  { ...node, target: 'node22', entryPoints: ['src/helper/start.ts'], outfile: 'dist/helper.cjs' },
  { ...node, target: 'node22', entryPoints: ['src/helper/main.ts'], outfile: 'dist/helper-main.cjs' },
  {
    ...common,
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    entryPoints: ['src/webview/main.ts'],
    outfile: 'dist/webview.js',
  },
];
await Promise.all(bundles.filter(b => existsSync(b.entryPoints[0])).map(b => build(b)));
