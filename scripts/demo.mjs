// `npm run demo`: sets the checkout up, then runs the demo. `-- --editor` opens it in VS Code in the browser;
// `-- --editor --screenshot` does the clicks itself and leaves pictures. Plain JavaScript, for the same reason as setup.mjs.

import { spawn } from 'node:child_process';
import { debian, environment, node, prepare, root, say } from './setup.mjs';

const args = process.argv.slice(2);
const isEditor = args.includes('--editor');
const left = await prepare(Object.keys(debian).filter(purpose => isEditor || !purpose.includes('editor')));
for (const sentence of left) say(`left out: ${sentence}`);

// Ctrl-C reaches the demo too, which stops its servers and ends by itself.
process.on('SIGINT', () => {});
const script = isEditor ? 'scripts/demo/editor.ts' : 'scripts/demo/main.ts';
const child = spawn(node, [script, ...args], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: environment(),
});
child.on('close', code => {
  process.exitCode = code ?? 1;
});
