import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import type { Surroundings } from '#ssh/config.ts';
import { resolveHost } from '#ssh/host.ts';
import { type HostSettings, parseDestination } from '#ssh/host-settings.ts';

/** A home with these files, named below `/home/ann`. */
function around(files: Record<string, string>, environment: Record<string, string> = {}): Surroundings {
  const paths = new Map(Object.entries(files).map(([name, text]) => [name.replace('~', '/home/ann'), text]));
  return {
    home: '/home/ann',
    localUser: 'ann',
    environment,
    readFile: path => paths.get(path),
    listFolder: folder =>
      [...paths.keys()].filter(path => path.startsWith(`${folder}/`)).map(path => path.slice(folder.length + 1)),
  };
}

function resolve(config: string, settings: HostSettings | string, files: Record<string, string> = {}) {
  const given = typeof settings === 'string' ? { host: settings } : settings;
  return resolveHost(given, around({ '~/.ssh/config': config, ...files }));
}

test('destinations are read as ssh(1) reads them', () => {
  const cases: [string, object][] = [
    ['host', { host: 'host' }],
    ['ann@host', { host: 'host', user: 'ann' }],
    ['ann@host:2222', { host: 'host', user: 'ann', port: 2222 }],
    ['a@b@host', { host: 'host', user: 'a@b' }],
    ['[::1]:2222', { host: '::1', port: 2222 }],
    ['ann@fe80::1', { host: 'fe80::1', user: 'ann' }],
    ['ssh://ann%40lab@host:22/', { host: 'host', user: 'ann@lab', port: 22 }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parseDestination(text), expected, text);
});

test('what can be no host is refused', () => {
  for (const text of ['', '@host', 'ann@', '-oProxyCommand=evil', 'host:0', 'host:99999', 'a b', 'host/path']) {
    assert.throws(
      () => parseDestination(text),
      error => isFailure(error, 'ssh/destination'),
      text,
    );
  }
});

test('without any configuration the defaults are those of OpenSSH', () => {
  const host = resolveHost({ host: 'login.example.org' }, around({}));
  assert.deepEqual([host.user, host.hostName, host.port], ['ann', 'login.example.org', 22]);
  assert.equal(host.strictHostKeyChecking, 'ask');
  assert.deepEqual(host.identityFiles[0], '/home/ann/.ssh/id_rsa');
  assert.equal(host.newKnownHostsFile, '/home/ann/.ssh/known_hosts');
  assert.ok(host.knownHostsFiles.includes('/etc/ssh/ssh_known_hosts'));
});

test('the first value counts, identity files add up', () => {
  const host = resolve(
    ['Host c*', ' User first', ' IdentityFile ~/one', 'Host *', ' User second', ' IdentityFile ~/two'].join('\n'),
    'cluster',
  );
  assert.equal(host.user, 'first');
  assert.deepEqual(host.identityFiles, ['/home/ann/one', '/home/ann/two']);
});

test('user@host:port and explicit options beat the configuration', () => {
  const config = 'Host cluster\n User config\n Port 1\n IdentityFile ~/config\n';
  const host = resolve(config, { host: 'bob@cluster:2', options: { IdentityFile: '~/mine' } });
  assert.deepEqual([host.user, host.port], ['bob', 2]);
  assert.deepEqual(host.identityFiles, ['/home/ann/mine', '/home/ann/config']);
});

test('negated patterns, letters of either case and = are understood', () => {
  const config = 'host = *.org !bad.org\n  PORT=7\nHost *\n Port 8';
  assert.equal(resolve(config, 'good.org').port, 7);
  assert.equal(resolve(config, 'bad.org').port, 8);
});

test('tokens and variables are expanded', () => {
  const surroundings = around(
    {
      '~/.ssh/config': [
        'Host cluster',
        ' HostName %h.example.org',
        ' User bob',
        ' Port 2222',
        ' IdentityFile %d/keys/%r@%h:%p-%n-%u-100%%',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of ssh_config(5).
        ' UserKnownHostsFile ${LAB}/known ~/known2',
        ' IdentityAgent $MY_AGENT',
      ].join('\n'),
    },
    { LAB: '/lab', MY_AGENT: '/run/agent' },
  );
  const host = resolveHost({ host: 'cluster' }, surroundings);
  assert.equal(host.hostName, 'cluster.example.org');
  assert.deepEqual(host.identityFiles, ['/home/ann/keys/bob@cluster.example.org:2222-cluster-ann-100%']);
  assert.deepEqual(host.knownHostsFiles.slice(0, 2), ['/lab/known', '/home/ann/known2']);
  assert.equal(host.agent, '/run/agent');
});

test('Include takes relative paths, patterns and conditions', () => {
  const files = {
    '~/.ssh/conf.d/10-a': 'Host cluster\n User from-a\n',
    '~/.ssh/conf.d/20-b': 'User from-b\nPort 20\n',
    '~/.ssh/only-cluster': 'Compression yes\nConnectTimeout 3\n',
  };
  const config = 'Include conf.d/*\nHost cluster\n Include only-cluster missing\n';
  const host = resolve(config, 'cluster', files);
  assert.deepEqual([host.user, host.port, host.connectTimeout], ['from-a', 20, 3]);
  const other = resolve(config, 'other', files);
  assert.deepEqual([other.user, other.port, other.connectTimeout], ['from-b', 20, 20]);
});

test('an Include of itself ends', () => {
  assert.equal(resolve('Include config\nPort 5', 'cluster').port, 5);
});

test('Match is evaluated, and Match exec never is', () => {
  const config = [
    'Host cluster',
    ' HostName login.example.org',
    'Match host *.example.org user bob',
    ' Port 1',
    'Match host=*.example.org',
    ' Port 2',
    'Match exec "touch /tmp/never"',
    ' User never',
    'Match originalhost cluster !localuser root',
    ' ConnectTimeout 9',
    'Match all',
    ' ServerAliveInterval 11',
  ].join('\n');
  assert.equal(resolve(config, 'bob@cluster').port, 1);
  const host = resolve(config, 'cluster');
  assert.deepEqual([host.port, host.user, host.connectTimeout, host.serverAliveInterval], [2, 'ann', 9, 11]);
});

test('Match final counts in a second pass', () => {
  const config = 'Match final host login.example.org\n User late\nHost cluster\n HostName login.example.org\n';
  assert.equal(resolve(config, 'cluster').user, 'late');
});

test('a hop has its own user and port, and a chain keeps its order', () => {
  const host = resolve('Host cluster\n User bob\n Port 7\n ProxyJump gate,ann@inner:2222\n', 'cluster');
  assert.deepEqual(
    host.jumps.map(hop => hop.host),
    ['gate', 'ann@inner:2222'],
  );
  assert.deepEqual(
    host.jumps.map(hop => hop.options),
    [undefined, undefined],
  );
});

test('of ProxyJump and ProxyCommand the first counts, none switches off', () => {
  const command = 'ProxyCommand nc -X 5 "%h" %p';
  const host = resolve(`Host a\n ${command}\n ProxyJump gate\nHost b\n ProxyJump none\nHost *\n ProxyJump gate`, 'a');
  assert.equal(host.proxyCommand, 'nc -X 5 "a" 22');
  assert.deepEqual(host.jumps, []);
  assert.deepEqual(resolve('Host b\n ProxyJump none\nHost *\n ProxyJump gate', 'b').jumps, []);
});

test('both spellings of StrictHostKeyChecking are understood', () => {
  const spellings = {
    yes: 'yes',
    true: 'yes',
    no: 'no',
    off: 'no',
    false: 'no',
    ask: 'ask',
    'accept-new': 'accept-new',
  };
  for (const [text, meaning] of Object.entries(spellings)) {
    assert.equal(resolve(`StrictHostKeyChecking ${text}`, 'x').strictHostKeyChecking, meaning);
  }
});

test('none means no known_hosts file, no agent, no key', () => {
  const host = resolve(
    'UserKnownHostsFile none\nGlobalKnownHostsFile none\nIdentityAgent none\nIdentityFile none',
    'x',
  );
  assert.deepEqual([host.knownHostsFiles, host.newKnownHostsFile, host.agent], [[], undefined, undefined]);
  assert.deepEqual(host.identityFiles, []);
});

test('times may have units', () => {
  assert.equal(resolve('ConnectTimeout 1m30s', 'x').connectTimeout, 90);
  assert.throws(
    () => resolve('ConnectTimeout soon', 'x'),
    error => isFailure(error, 'ssh/config'),
  );
});

test('a file that makes no sense is named', () => {
  const wrong = { host: 'x', configFile: '/lab/config' };
  assert.throws(
    () => resolveHost(wrong, around({ '/lab/config': 'Host "unfinished\n' })),
    error => isFailure(error, 'ssh/config') && error.message.includes('/lab/config'),
  );
  assert.throws(
    () => resolveHost(wrong, around({})),
    error => isFailure(error, 'ssh/config'),
  );
});

test('empty files, byte order marks and Windows line ends are read', () => {
  assert.equal(resolve('', 'x').port, 22);
  assert.equal(resolve('\uFEFFHost x\r\n  Port 9\r\n', 'x').port, 9);
});

test('on Windows the agent is a pipe and the system files are elsewhere', () => {
  const host = resolveHost({ host: 'x' }, around({}, { PROGRAMDATA: 'C:/ProgramData' }));
  assert.equal(host.agent, '\\\\.\\pipe\\openssh-ssh-agent');
  assert.equal(host.knownHostsFiles.at(-1), 'C:/ProgramData/ssh/ssh_known_hosts');
});
