// A real VS Code for tests: code-server from npm is the real workbench and the real Node extension host. It is
// installed once, into a cache folder outside the checkout, and used by all later runs.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const codeServerVersion = '4.139.1';
const nodeVersion = '24.21.0';

/** Why no VS Code can be run here; undefined where it can. Tests skip with it. */
export const noCodeServer: string | undefined =
  process.platform !== 'linux' ? 'the editor for tests is code-server with the Chromium of Debian' : undefined;

export interface CodeServer {
  /** Program that runs it: the Node that its native modules were made for. */
  node: string;
  /** Its main module. */
  entry: string;
}

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cwl-on-clusters', 'vscode');
const folder = join(cache, `${codeServerVersion}-${process.arch}`);

/** The installed code-server; the first time it takes about a minute and 800 MB. */
export async function installCodeServer(say: (line: string) => void = console.log): Promise<CodeServer> {
  const installed = {
    node: join(folder, `node_modules/node-linux-${process.arch}/bin/node`),
    entry: join(folder, 'node_modules/code-server/out/node/entry.js'),
  };
  while (!existsSync(join(folder, 'ready'))) {
    if (await takeTurn()) {
      try {
        say(`installing code-server ${codeServerVersion} into ${folder}`);
        await install();
      } finally {
        rmSync(`${folder}.turn`, { recursive: true, force: true });
      }
    } else await sleep(1000);
  }
  return installed;
}

/** True for the one process that installs; a turn whose process is gone is taken away from it. */
async function takeTurn(): Promise<boolean> {
  mkdirSync(cache, { recursive: true });
  const turn = `${folder}.turn`;
  try {
    mkdirSync(turn);
    writeFileSync(join(turn, String(process.pid)), '');
    return true;
  } catch {
    const { readdirSync } = await import('node:fs');
    const pid = existsSync(turn) ? readdirSync(turn)[0] : undefined;
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(turn, { recursive: true, force: true });
    return false;
  }
}

async function install(): Promise<void> {
  const work = `${folder}.${process.pid}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, 'package.json'), '{"name":"vscode-for-tests","private":true}');
  const quick = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const packages = [`code-server@${codeServerVersion}`, `node-linux-${process.arch}@${nodeVersion}`];
  await npm(work, 'install', '--save-exact', ...quick, ...packages);
  // What its postinstall script does, without compiling: all it needs to run ships as prebuilt binaries.
  const vscode = join(work, 'node_modules/code-server/lib/vscode');
  await npm(vscode, 'install', '--omit=dev', ...quick);
  await npm(join(vscode, 'extensions'), 'install', '--omit=dev', ...quick);
  writeFileSync(join(work, 'ready'), '');
  renameSync(work, folder);
}

function npm(cwd: string, ...args: string[]): Promise<void> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_OPTIONS$/.test(name)));
  const child = spawn('npm', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', data => (output += data));
  child.stderr.on('data', data => (output += data));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code =>
      code === 0 ? resolve() : reject(new Error(`npm ${args[0]} in ${cwd} ended with ${code}: ${output.slice(-2000)}`)),
    );
  });
}
