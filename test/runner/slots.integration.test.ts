// Temporary folders and logs that tasks hand on: nothing of one task may be seen by the next.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { linkLog, Slots } from '#runner/slots.ts';

let folder = '';
let slots: Slots;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cwl-slots-'));
  slots = new Slots(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const log = (name: string) => ({ path: join(folder, name), stream: 'stderr' as const });

test('the next task gets the same folder, emptied', () => {
  const first = slots.take();
  mkdirSync(join(first.temporary, 'deep'));
  writeFileSync(join(first.temporary, 'deep/file'), 'secret');
  assert.equal(slots.give(first, []), true);
  const second = slots.take();
  assert.equal(second.temporary, first.temporary);
  assert.deepEqual(readdirSync(second.temporary), []);
});

test('tasks that run at the same time have folders of their own', () => {
  assert.notEqual(slots.take().temporary, slots.take().temporary);
});

test('a log that was written to stays, an empty one goes, and neither gets what a later task writes', () => {
  const [quiet, loud, last] = [log('quiet'), log('loud'), log('last')];
  let slot = slots.take();
  slots.openLog(slot, quiet.path, 'stderr');
  slots.give(slot, [quiet]);
  slot = slots.take();
  slots.openLog(slot, loud.path, 'stderr');
  appendFileSync(loud.path, 'first');
  slots.give(slot, [loud]);
  slot = slots.take();
  slots.openLog(slot, last.path, 'stderr');
  appendFileSync(last.path, 'second');
  assert.equal(existsSync(quiet.path), false);
  assert.equal(readFileSync(loud.path, 'utf8'), 'first');
  assert.equal(readFileSync(last.path, 'utf8'), 'second');
});

test('a task that failed keeps its temporary files and its logs', () => {
  const slot = slots.take();
  const own = log('stderr');
  slots.openLog(slot, own.path, 'stderr');
  writeFileSync(join(slot.temporary, 'half'), 'x');
  slots.abandon(slot, join(folder, 'tmp'));
  assert.equal(readFileSync(join(folder, 'tmp/half'), 'utf8'), 'x');
  const next = slots.take();
  slots.openLog(next, join(folder, 'other'), 'stderr');
  appendFileSync(join(folder, 'other'), 'later');
  assert.notEqual(next.temporary, slot.temporary);
  assert.equal(readFileSync(own.path, 'utf8'), '');
});

/** As the launcher makes it. */
function makeDevices(engine: string): string {
  const devices = join(engine, 'dev');
  mkdirSync(join(devices, 'shm'), { recursive: true, mode: 0o700 });
  symlinkSync('/proc/self/fd', join(devices, 'fd'));
  for (const [index, name] of ['stdin', 'stdout', 'stderr'].entries())
    symlinkSync(`/proc/self/fd/${index}`, join(devices, name));
  for (const name of ['null', 'zero', 'full', 'random', 'urandom', 'tty']) writeFileSync(join(devices, name), '');
  return devices;
}

const harm: Record<string, (devices: string) => void> = {
  'a file in shm': devices => writeFileSync(join(devices, 'shm/left'), 'x'),
  'a new device': devices => writeFileSync(join(devices, 'sda'), 'x'),
  'another link': devices => {
    rmSync(join(devices, 'stdin'));
    symlinkSync('/etc/passwd', join(devices, 'stdin'));
  },
  'a file in the place of a link': devices => {
    rmSync(join(devices, 'fd'));
    writeFileSync(join(devices, 'fd'), '');
  },
  'shm that nobody may enter': devices => chmodSync(join(devices, 'shm'), 0),
};

test('the folder of devices is handed on as it is, and made anew after a task that changed it', () => {
  const slot = slots.take();
  slots.openEngine(slot);
  const devices = makeDevices(slot.engine);
  slots.give(slot, []);
  assert.equal(slots.take().engine, slot.engine);
  assert.ok(existsSync(join(devices, 'stdin')));
  for (const [what, change] of Object.entries(harm)) {
    change(existsSync(devices) ? devices : makeDevices(slot.engine));
    slots.give(slot, []);
    assert.equal(slots.take().engine, slot.engine);
    assert.deepEqual(readdirSync(slot.engine), [], what);
  }
});

test('a temporary folder that a task has locked is given to nobody', () => {
  const slot = slots.take();
  chmodSync(slot.temporary, 0o500);
  assert.equal(slots.give(slot, []), false);
  assert.notEqual(slots.take().temporary, slot.temporary);
});

test('where a file can not have a second name there is an empty log', () => {
  // No hard link leads from one file system to another.
  linkLog('/proc/version', join(folder, 'log'));
  assert.equal(readFileSync(join(folder, 'log'), 'utf8'), '');
});
