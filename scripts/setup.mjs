// Makes a fresh clone ready: npm packages, Node 24, Debian packages, bundles and kit. It runs before node_modules
// exists and on Node 18 or newer, so it is plain JavaScript that imports nothing but Node. What is done already is
// found out by looking, so that a second time is quick.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** The Node of the project: it runs TypeScript as it is. Its folder stands first in the PATH of all that is started. */
export const node = join(root, 'node_modules', '.bin', 'node');
const isRoot = process.getuid?.() === 0;
const began = Date.now();

// What goes wrong here is told by the output of the program that failed; where these scripts stood says nothing.
process.on('uncaughtException', error => {
  console.error(error.message);
  process.exit(1);
});

/** Debian packages by what needs them. Tests ask for more of their own when they run. */
export const debian = {
  'a login host on loopback': ['openssh-server'],
  'a registry on loopback': ['docker-registry'],
  // Without root, mmdebstrap maps user ids with uidmap.
  'images made from Debian packages': isRoot ? ['mmdebstrap'] : ['mmdebstrap', 'uidmap'],
  'the editor in a browser': ['chromium'],
};

/** Prepares the checkout; `purposes` are keys of {@link debian}. Answers what had to be left out, one sentence each. */
export async function prepare(purposes) {
  await installModules();
  const left = await installDebianPackages(purposes);
  await build();
  return left;
}

/** One line when it starts to take time, one with its duration when it is done. */
export async function step(title, work) {
  const start = Date.now();
  say(title);
  const result = await work();
  const seconds = (Date.now() - start) / 1000;
  if (seconds >= 1) say(`${title}: done in ${seconds.toFixed(1)} s`);
  return result;
}

export function say(text) {
  console.log(`[${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s] ${text}`);
}

/** Runs a program of the checkout to its end; its output is shown only where it fails, or with `show`. */
export function run(file, args, { show = false, env = {} } = {}) {
  const child = spawn(file, args, {
    cwd: root,
    stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    env: { ...environment(), ...env },
  });
  let output = '';
  child.stdout?.on('data', data => (output += data));
  child.stderr?.on('data', data => (output += data));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${[file, ...args].join(' ')} ended with ${signal ?? code}\n${output}`));
    });
  });
}

/** The caller's environment with the project's Node first, and a place for npm's cache where HOME has none. */
export function environment() {
  const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH ?? ''}` };
  if (!isWritable(process.env.HOME || homedir())) env.npm_config_cache ??= join(root, 'build', 'npm-cache');
  // A test or a demo must not read the settings of the npm that started it.
  delete env.NODE_OPTIONS;
  return env;
}

async function installModules() {
  if (!isStale()) return;
  await step('installing the npm packages of package-lock.json', () =>
    // Only two of the packages need their install scripts; the others would compile things that are not used.
    npm('ci', '--ignore-scripts', '--no-audit', '--no-fund').then(() => npm('rebuild', 'node', 'esbuild')),
  );
  if (!existsSync(node)) throw new Error(`npm did not make ${node}: remove node_modules and try again`);
}

/** True unless node_modules holds exactly what package-lock.json says; optional packages of other platforms may lack. */
function isStale() {
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'));
  if (!installed || !existsSync(node)) return true;
  const wanted = readJson(join(root, 'package-lock.json')).packages;
  return Object.entries(wanted).some(
    ([path, entry]) =>
      path !== '' && !entry.optional && !entry.devOptional && installed.packages[path]?.version !== entry.version,
  );
}

function npm(...args) {
  const cli = process.env.npm_execpath;
  // Not this process's Node: that may be the one in node_modules, which `npm ci` takes away.
  const own = process.env.npm_node_execpath;
  return cli?.endsWith('.js') && own ? run(own, [cli, ...args]) : run('npm', args);
}

async function installDebianPackages(purposes) {
  const missing = purposes
    .map(purpose => ({ purpose, packages: debian[purpose].filter(name => !isInstalled(name)) }))
    .filter(({ packages }) => packages.length > 0);
  const names = missing.flatMap(({ packages }) => packages);
  if (names.length === 0) return [];
  const reason = !existsSync('/usr/bin/apt-get')
    ? 'this is not a Debian machine'
    : isRoot
      ? undefined
      : 'only root can install Debian packages';
  if (reason) {
    return missing.map(({ purpose, packages }) => `${purpose}: ${reason} (apt-get install ${packages.join(' ')})`);
  }
  const apt = (...args) => run('apt-get', args, { env: { DEBIAN_FRONTEND: 'noninteractive' } });
  const install = () => apt('install', '-y', '-qq', '--no-install-recommends', ...names);
  await step(`installing Debian packages: ${names.join(' ')}`, () =>
    install().catch(() => apt('update', '-qq').then(install)),
  );
  return [];
}

function isInstalled(name) {
  const result = spawnSync('/usr/bin/dpkg', ['-s', name], { encoding: 'utf8' });
  return result.stdout?.includes('\nStatus: install ok installed\n') ?? false;
}

async function build() {
  mkdirSync(join(root, 'build'), { recursive: true });
  await step('building the bundles and the kit', () => npm('run', '--silent', 'build'));
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const left = await prepare(Object.keys(debian));
  for (const sentence of left) say(`left out: ${sentence}`);
  say('ready');
}
