// `npm run build`: the bundles and the kit that goes to clusters, into dist/.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { node, root, run } from './setup.mjs';

const kit = ['scripts/build-kit.ts', 'scripts/build-kit.mjs'].find(script => existsSync(join(root, script)));
await run(node, ['esbuild.mjs', ...process.argv.slice(2)], { show: true });
if (kit) await run(node, [kit], { show: true });
