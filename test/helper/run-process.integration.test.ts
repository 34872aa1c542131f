// Who runs a run: claims by real processes, and what is made of those that are gone.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { describeRunFolder } from '#helper/run-folder.ts';
import { claimRun, isRunAlive, type RunProcess } from '#helper/run-process.ts';
import { RunReader } from '#helper/run-reader.ts';

const root = new URL('../../', import.meta.url).pathname;
/** Claims the run in its argument, says whether it could, and stays until its stdin ends. */
const claimer = `
import { claimRun } from '#helper/run-process.ts';
try { claimRun(process.argv[1]); console.log('claimed'); } catch (error) { console.log(error.code); }
process.stdin.resume();`;

let base: string;
let folder: string;
let count = 0;

before(() => {
  base = mkdtempSync(join(tmpdir(), 'cwl-claims-'));
});
beforeEach(() => {
  folder = join(base, `run${count++}`);
  mkdirSync(folder);
});
after(() => rmSync(base, { recursive: true }));

function startClaimer(): { child: ChildProcess; said: Promise<string> } {
  const child = spawn(process.execPath, ['--input-type=module', '-e', claimer, folder], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return { child, said: new Promise(resolve => child.stdout?.once('data', data => resolve(String(data).trim()))) };
}

async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  await new Promise(resolve => {
    child.once('exit', resolve);
    child.kill(signal);
  });
}

const readClaim = (number: number) => JSON.parse(readFileSync(join(folder, `pid.${number}`), 'utf8')) as RunProcess;
const writeClaim = (claim: RunProcess) => writeFileSync(join(folder, 'pid.1'), JSON.stringify(claim));

describe('a claim', () => {
  test('goes to one of several processes, and to another one when that is killed', async () => {
    const first = [startClaimer(), startClaimer(), startClaimer(), startClaimer()];
    const said = await Promise.all(first.map(each => each.said));
    assert.deepEqual(said.sort(), ['claimed', 'run/busy', 'run/busy', 'run/busy']);
    assert.ok(isRunAlive(folder));
    await Promise.all(first.map(each => end(each.child)));
    assert.ok(!isRunAlive(folder));
    const next = startClaimer();
    assert.equal(await next.said, 'claimed');
    assert.ok(isRunAlive(folder));
    await end(next.child);
    assert.deepEqual(readdirSync(folder).sort(), ['pid.1', 'pid.2']);
  });

  test('of a process whose number now belongs to another one is dead', () => {
    claimRun(folder);
    assert.ok(isRunAlive(folder));
    assert.throws(
      () => claimRun(folder),
      error => isFailure(error, 'run/busy'),
    );
    writeClaim({ ...readClaim(1), startTime: '12' });
    assert.ok(!isRunAlive(folder));
  });

  test('from before the machine was restarted is dead', () => {
    claimRun(folder);
    writeClaim({ ...readClaim(1), bootId: 'another' });
    assert.ok(!isRunAlive(folder));
  });

  test('on another machine lives as long as its heartbeat', () => {
    claimRun(folder);
    writeClaim({ ...readClaim(1), hostname: 'elsewhere' });
    assert.ok(!isRunAlive(folder), 'without a heartbeat');
    writeFileSync(join(folder, 'heartbeat'), '');
    assert.ok(isRunAlive(folder), 'with a fresh one');
    const old = new Date(Date.now() - 10 * 60_000);
    utimesSync(join(folder, 'heartbeat'), old, old);
    assert.ok(!isRunAlive(folder), 'with an old one');
    assert.ok(!readdirSync(folder).some(name => name.startsWith('clock')), 'the probe of the clock is removed');
  });
});

describe('the reader of a run', () => {
  const time = new Date().toISOString();
  const start = {
    type: 'run-started',
    time,
    label: 'x',
    outdir: '/o',
    pid: 1,
    hostname: 'h',
    bootId: 'b',
    steps: [],
    resumed: false,
  };
  const task = (id: string, state: string) => ({ type: 'task', time, task: id, step: id, state });
  const append = (text: string) => appendFileSync(join(folder, 'journal.jsonl'), text);
  const line = (event: object) => `${JSON.stringify(event)}\n`;
  const statesOf = (reader: RunReader) =>
    Object.fromEntries(reader.toDetail().taskList.map(each => [each.id, each.state]));

  test('waits for the rest of a line, and tells when something is new', async () => {
    claimRun(folder);
    const reader = new RunReader(describeRunFolder('x', folder));
    await reader.refresh();
    assert.equal(reader.toSummary().state, 'starting');
    const torn = line(task('ä', 'running'));
    const bytes = Buffer.from(line(start) + torn);
    const cut = bytes.indexOf('ä') + 1;
    appendFileSync(join(folder, 'journal.jsonl'), bytes.subarray(0, cut));
    await reader.refresh();
    assert.equal(reader.toSummary().state, 'running');
    assert.deepEqual(statesOf(reader), {});
    const { stamp } = reader;
    await reader.refresh();
    assert.equal(reader.stamp, stamp);
    appendFileSync(join(folder, 'journal.jsonl'), bytes.subarray(cut));
    await reader.refresh();
    assert.deepEqual(statesOf(reader), { ä: 'running' });
    assert.notEqual(reader.stamp, stamp);
  });

  test('reads lines that are longer than its buffer, and many', async () => {
    claimRun(folder);
    const long = { ...task('long', 'success'), outputs: { text: 'x'.repeat(9 * 1_048_576) } };
    append(
      line(start) + line(long) + Array.from({ length: 20_000 }, (_, i) => line(task(`t[${i}]`, 'success'))).join(''),
    );
    const reader = new RunReader(describeRunFolder('x', folder));
    await reader.refresh();
    assert.equal(reader.toSummary().tasks.done, 20_001);
  });

  test('calls a run interrupted whose process is killed, also in the middle of a line', async () => {
    const { child, said } = startClaimer();
    await said;
    append(`${line(start) + line(task('a', 'success')) + line(task('b', 'running'))}{"type":"task","ti`);
    const reader = new RunReader(describeRunFolder('x', folder));
    await reader.refresh();
    assert.deepEqual([reader.toSummary().state, reader.isActive], ['running', true]);
    await end(child);
    await reader.refresh();
    assert.deepEqual([reader.toSummary().state, reader.isActive], ['interrupted', false]);
    assert.deepEqual(statesOf(reader), { a: 'success', b: 'cancelled' });
    claimRun(folder);
    append(`\n${line({ ...start, resumed: true })}`);
    await reader.refresh();
    assert.deepEqual([reader.toSummary().state, reader.isActive], ['running', true]);
    assert.deepEqual(statesOf(reader), { a: 'success', b: 'waiting' });
  });

  test('shows progress only while the run goes on', async () => {
    claimRun(folder);
    append(line(start));
    writeFileSync(join(folder, 'progress.json'), JSON.stringify({ what: 'pulling x', done: 1, unit: 'bytes' }));
    const reader = new RunReader(describeRunFolder('x', folder));
    await reader.refresh();
    assert.equal(reader.toDetail().progress?.what, 'pulling x');
    append(line({ type: 'run-ended', time, state: 'success', outputs: { n: 1 } }));
    await reader.refresh();
    assert.equal(reader.toDetail().progress, undefined);
    assert.deepEqual(reader.toDetail().outputs, { n: 1 });
  });
});
