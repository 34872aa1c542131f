// `npm run bench`: runs the benchmarks of bench/, one after the other; `npm run bench -- NAME...` only those named,
// `npm run bench -- --list` names them. Benchmarks measure; they do not pass or fail.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { debian, node, prepare, root, run, say } from './setup.mjs';

const names = readdirSync(join(root, 'bench'))
  .filter(name => name.endsWith('.ts'))
  .map(name => name.slice(0, -3));
const wanted = process.argv.slice(2);

if (wanted.includes('--list')) {
  for (const name of names) console.log(name);
} else {
  const unknown = wanted.find(name => !names.includes(name));
  if (unknown) throw new Error(`no benchmark ${unknown}; there are ${names.join(', ')}`);
  const left = await prepare(Object.keys(debian).filter(purpose => !purpose.includes('editor')));
  for (const sentence of left) say(`left out: ${sentence}`);
  for (const name of wanted.length > 0 ? wanted : names) {
    console.log(`\n── ${name}`);
    await run(node, [join('bench', `${name}.ts`)], { show: true }).catch(error => {
      process.exitCode = 1;
      console.error(error.message);
    });
  }
}
