// `npm run build`: the bundles and the kit that goes to clusters, into dist/.
import { node, run } from './setup.mjs';

await run(node, ['esbuild.mjs', ...process.argv.slice(2)], { show: true });
await run(node, ['scripts/build-kit.ts'], { show: true });
