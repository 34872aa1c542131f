// The floor of a scatter: the same processes with nothing around them. Each has a directory and a file for its output,
// which is then hashed, as every runner must do: node cwl-floor.mjs COUNT WIDTH FOLDER [COMMAND-IN-FRONT...]
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [count, width, folder, ...front] = process.argv.slice(2);
mkdirSync(folder);
let next = 0;

async function work() {
  while (next < Number(count)) {
    const number = next++;
    const directory = join(folder, String(number));
    mkdirSync(directory);
    const output = join(directory, 'out.txt');
    const descriptor = openSync(output, 'w');
    const [file, ...args] = [...front, '/bin/echo', `word${number}`];
    const child = spawn(file, args, {
      cwd: directory,
      stdio: ['ignore', descriptor, 'inherit'],
      env: { PATH: '/bin' },
    });
    closeSync(descriptor);
    const code = await new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
    if (code !== 0) throw new Error(`${file} ended with ${code}`);
    createHash('sha1').update(readFileSync(output)).digest('hex');
  }
}

await Promise.all(Array.from({ length: Number(width) }, work));
