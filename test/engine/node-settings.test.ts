import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainNode, type NodeSettings } from '#engine/node-settings.ts';
import type { EngineTest } from '#engine/self-test.ts';

const settings: NodeSettings = {
  kernel: '6.8.0-45-generic',
  maxUserNamespaces: 60_000,
  unprivilegedClone: undefined,
  apparmorUserns: undefined,
  ptraceScope: 1,
  securityModules: ['lockdown', 'capability', 'landlock', 'yama', 'apparmor'],
  container: undefined,
  isFiltered: false,
  noexec: [],
};
const features = { seccomp: true, landlock: 4, networkNamespaces: true };
const works = (engine: string, statCost: number): EngineTest => ({ engine, works: true, message: '', statCost });
const fails = (engine: string, message: string): EngineTest => ({ engine, works: false, message });

/** The finding about `what`, in a few words: `good` or `poor`, and the message. */
function explain(
  what: string,
  own: Partial<NodeSettings>,
  engines: EngineTest[],
  more: Partial<typeof features> = {},
): string {
  const found = explainNode(
    { ...settings, ...own },
    { features: { ...features, ...more }, engines, hostStatCost: 900 },
  );
  const finding = found.find(each => each.what.startsWith(what));
  assert.ok(finding, what);
  return `${finding.isGood ? 'good' : 'poor'}: ${finding.message}`;
}

const all = [works('userns', 800), works('proot', 60_000)];
const noNamespaces = fails('userns', 'userns: this node gives no user namespaces');

test('where all works, all is good, and the costs are told', () => {
  const found = explainNode(settings, { features, engines: all, hostStatCost: 900 });
  assert.deepEqual(
    found.filter(each => !each.isGood),
    [],
  );
  assert.match(explain('a look', {}, all), /0\.9 µs without a sandbox, 0\.8 µs with userns, 60 µs with proot$/);
});

test('user namespaces are missing for a reason, and with a cure', () => {
  const why = (own: Partial<NodeSettings>) => explain('user namespaces', own, [noNamespaces, works('proot', 1)]);
  assert.match(why({ kernel: '2.6.32-754.el6' }), /^poor: Linux 2\.6\.32-754\.el6 has none/);
  assert.match(why({ maxUserNamespaces: 0 }), /sysctl user\.max_user_namespaces=15000.*PRoot is used instead/);
  assert.match(why({ unprivilegedClone: 0 }), /sysctl kernel\.unprivileged_userns_clone=1/);
  assert.match(why({ apparmorUserns: 1 }), /sysctl kernel\.apparmor_restrict_unprivileged_userns=0/);
  assert.match(why({ container: 'Apptainer' }), /perhaps because this is inside of Apptainer/);
  assert.match(why({}), /^poor: this node gives no user namespaces/);
  // A setting that would forbid them proves nothing where they work.
  assert.match(explain('user namespaces', { apparmorUserns: 1 }, all), /^good/);
});

test('tracing is forbidden by yama, by a container, or PRoot fails for another reason', () => {
  const forbidden = fails('proot', 'proot: tracing (ptrace) is forbidden on this node (...)');
  const why = (own: Partial<NodeSettings>, test = forbidden) => explain('tracing', own, [test]);
  assert.match(why({ ptraceScope: 2 }), /administrators only \(kernel\.yama\.ptrace_scope is 2\).*ptrace_scope=1/);
  assert.match(why({ container: 'a Docker container' }), /^poor: is forbidden .* inside of a Docker container/);
  assert.match(why({}, fails('proot', 'proot: there is no space left')), /is not known, .*: there is no space left/);
  assert.match(explain('tracing', {}, all), /^good: is allowed \(kernel\.yama\.ptrace_scope is 1\)/);
});

test('PRoot without acceleration is slow, and the cost and the cure are told', () => {
  const slow = [noNamespaces, fails('proot', ''), works('proot-slow', 78_000)];
  assert.match(explain('seccomp', {}, slow), /stops at every system call \(78 µs each\).*allow user namespaces/);
  assert.match(explain('seccomp', { isFiltered: true }, slow), /what has started this shell that forbids it/);
  assert.match(explain('seccomp', {}, [works('proot-new-order', 1)]), /^good/);
  const old = { kernel: '2.6.32-220.el6' };
  assert.match(explain('seccomp', old, [fails('proot', '')], { seccomp: false }), /RHEL 6 from 2\.6\.32-431 on/);
  assert.match(explain('seccomp', {}, [fails('proot', '')], { seccomp: false }), /try outside of it/);
});

test('Landlock is absent, too old, or switched off', () => {
  const why = (own: Partial<NodeSettings>, landlock: number) => explain('Landlock', own, all, { landlock });
  assert.match(why({ kernel: '4.18.0-553.el8_10' }, 0), /is not in this kernel .* looked at after each step/);
  assert.match(why({ kernel: '5.15.0-91' }, 1), /too old \(version 1; Linux 6\.2 has version 3\)/);
  assert.match(why({ securityModules: ['capability', 'selinux'] }, 0), /switched off.*boot parameter `lsm=`/);
  assert.match(why({}, 0), /forbidden to what runs here/);
});

test('folders that are mounted noexec, and old kernels, are told of', () => {
  assert.match(explain('programs', { noexec: ['/home/me/.cwl'] }, all), /can't be run in \/home\/me\/\.cwl: .*noexec/);
  assert.match(explain('kernel', { kernel: '3.10.0-1160.el7' }, all), /^poor: Linux 3\.10\.0-1160\.el7 is old/);
});
