// Builds the bundles: the extension, the language server, and the helper that runs on the cluster (a starter, and what it starts).
import { build } from 'esbuild';
import { buildHelper } from './scripts/helper-bundle.ts';

const minify = process.argv.includes('--minify');
// ssh2's optional natives are used when present and are never bundled.
const node = {
  bundle: true,
  sourcemap: 'linked',
  legalComments: 'none',
  logLevel: 'warning',
  minify,
  platform: 'node',
  format: 'cjs',
  external: ['vscode', 'cpu-features', './crypto/build/Release/sshcrypto.node'],
};

const bundles = [
  { ...node, target: 'node20', entryPoints: ['src/extension/main.ts'], outfile: 'dist/extension.cjs' },
  { ...node, target: 'node20', entryPoints: ['src/language/main.ts'], outfile: 'dist/language.cjs' },
];
const { external: _, ...helper } = node;
await Promise.all([...bundles.map(bundle => build(bundle)), buildHelper('dist', helper)]);
