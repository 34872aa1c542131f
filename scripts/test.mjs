// `npm test`: sets the checkout up, then runs the tests from the quick ones to the slow ones and prints the sum as
// Node's test runner does. `npm test -- PATTERN...` runs only the test files that match, after the same set-up.
// Plain JavaScript, for the same reason as setup.mjs.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { debian, node, prepare, root, run, say } from './setup.mjs';

const began = Date.now();
const sums = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
const args = process.argv.slice(2);
const patterns = args.filter(arg => !arg.startsWith('--'));

const left = await prepare(Object.keys(debian));
for (const sentence of left) say(`left out: ${sentence}`);
const files = (await findTests('test')).filter(file => patterns.every(pattern => file.includes(pattern)));
if (files.length === 0) throw new Error(`no test file matches ${patterns.join(' ')}`);

if (args.includes('--desktop')) {
  await test('tests in a desktop VS Code', files.filter(isDesktop), ['--test-concurrency=1', '--test-timeout=1200000']);
} else if (args.includes('--long')) {
  await test('long tests', files.filter(isLong), ['--test-concurrency=1', '--test-timeout=3600000']);
} else {
  // All in one process: starting a process for each file would take longer than the tests.
  await test('rooms and pure tests', files.filter(isPure), ['--test-isolation=none', '--test-timeout=30000']);
  if (patterns.length === 0) {
    await check('types', [
      ['tsc', '-p', 'tsconfig.json'],
      ['tsc', '-p', 'tsconfig.pure.json'],
    ]);
    await check('lint', [['biome', 'check', '.'], ['knip']]);
  }
  await test('tests with real parts', files.filter(isIntegration), ['--test-concurrency=2', '--test-timeout=900000']);
  await test('tests in the editor', files.filter(isEditor), ['--test-concurrency=1', '--test-timeout=600000']);
}

for (const [name, count] of Object.entries(sums)) console.log(`ℹ ${name} ${count}`);
console.log(`ℹ duration_ms ${Date.now() - began}`);
for (const sentence of left) console.log(`ℹ left out: ${sentence}`);
process.exitCode = sums.fail + sums.cancelled > 0 ? 1 : 0;

function isDesktop(file) {
  return file.endsWith('.desktop.test.ts');
}
function isLong(file) {
  return file.endsWith('.long.test.ts');
}
function isEditor(file) {
  return file.endsWith('.ui.test.ts');
}
function isIntegration(file) {
  return file.endsWith('.integration.test.ts');
}
function isPure(file) {
  return !isDesktop(file) && !isLong(file) && !isEditor(file) && !isIntegration(file);
}

/** Runs test files with Node's runner and adds up what it counted. A runner that dies counts as one failed test. */
async function test(title, files, options) {
  if (files.length === 0) return;
  console.log(`\n── ${title} (${files.length} files)`);
  const counts = join(root, 'build', 'test-counts.json');
  mkdirSync(join(root, 'build'), { recursive: true });
  rmSync(counts, { force: true });
  const reporters = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=./scripts/count-reporter.mjs',
    `--test-reporter-destination=${counts}`,
  ];
  // A file whose test has timed out may hold servers that nobody stops any more: it must not hold up the rest.
  const args = ['--test', '--test-force-exit', ...options, ...reporters, ...files];
  const failed = await run(node, args, { show: true }).then(
    () => false,
    () => true,
  );
  const text = existsSync(counts) ? readFileSync(counts, 'utf8') : '';
  const counted = text === '' ? { tests: 1, fail: 1 } : JSON.parse(text);
  if (failed && !counted.fail && !counted.cancelled) counted.fail = 1;
  for (const name of Object.keys(sums)) sums[name] += counted[name] ?? 0;
}

/** Runs programs that print what is wrong and exit with non-zero; counts as one test. */
async function check(title, commands) {
  const start = Date.now();
  const faults = [];
  for (const [name, ...args] of commands) {
    await run(join(root, 'node_modules', '.bin', name), args).catch(error => faults.push(error.message));
  }
  sums.tests++;
  sums[faults.length > 0 ? 'fail' : 'pass']++;
  console.log(`\n── ${title}`);
  console.log(`${faults.length > 0 ? '✖' : '✔'} ${title} (${Date.now() - start}ms)`);
  for (const fault of faults) console.log(fault);
}

async function findTests(folder) {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const found = await Promise.all(
    entries.map(entry => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === 'fixtures' ? [] : findTests(path);
      return entry.name.endsWith('.test.ts') ? [path] : [];
    }),
  );
  return found.flat().sort();
}
