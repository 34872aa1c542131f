import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkHostKey,
  findKnownKeyTypes,
  formatKnownHost,
  isEntryFor,
  parseKnownHosts,
  readKeyType,
  toFingerprint,
  toKnownName,
} from '#ssh/known-hosts.ts';

// What stands in known_hosts for keys of these types.
const ed = 'AAAAC3NzaC1lZDI1NTE5AAAAICeDgl7ntBI0u2dYnMyUgeS4YSZeUDzLnfBHmMXNjCAG';
const otherEd = 'AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f';
const rsa =
  'AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7a0gyQcDsuJWJi7s9h3bRDCyZfk8VXNl8ZkmrwIQ1XGTC1ld1yqhd1hSmWGK0i8Upjs4yt31XMnzlm2LoqEg5';
const key = (text: string) => Buffer.from(text, 'base64');
const parse = (text: string) => parseKnownHosts(text, 'known_hosts');

test('reads plain lines, markers and comments, and passes over what makes no sense', () => {
  const text = [
    '# a comment',
    '',
    `login.example.org ssh-ed25519 ${ed} a comment`,
    `  @revoked *.example.org ssh-ed25519 ${otherEd}`,
    `@cert-authority *.example.org ssh-ed25519 ${ed}\r`,
    'broken ssh-ed25519',
    'broken ssh-ed25519 AAAA',
    `wrongtype ssh-rsa ${ed}`,
    `@unknown host ssh-ed25519 ${ed}`,
  ].join('\n');
  const summary = parse(text).map(({ line, marker, hosts }) => [line, marker, hosts]);
  assert.deepEqual(summary, [
    [3, undefined, 'login.example.org'],
    [4, '@revoked', '*.example.org'],
    [5, '@cert-authority', '*.example.org'],
  ]);
});

test('a key that is listed is known, whatever the case of the name', () => {
  const entries = parse(`Login.Example.org,10.0.0.1 ssh-ed25519 ${ed}`);
  assert.equal(checkHostKey(entries, toKnownName('LOGIN.example.org', 22), key(ed)).state, 'known');
  assert.equal(checkHostKey(entries, '10.0.0.1', key(ed)).state, 'known');
  assert.equal(checkHostKey(entries, 'other.example.org', key(ed)).state, 'unknown');
});

test('patterns match and a negated one spoils them', () => {
  const [entry] = parse(`*.example.org,!bad.example.org,node? ssh-ed25519 ${ed}`);
  assert.ok(entry);
  assert.ok(isEntryFor(entry, 'good.example.org'));
  assert.ok(isEntryFor(entry, 'node7'));
  assert.ok(!isEntryFor(entry, 'node77'));
  assert.ok(!isEntryFor(entry, 'bad.example.org'));
});

test('ports other than 22 have entries of their own', () => {
  const entries = parse(`[login.example.org]:2222 ssh-ed25519 ${ed}`);
  const name = toKnownName('login.example.org', 2222);
  assert.equal(name, '[login.example.org]:2222');
  assert.equal(checkHostKey(entries, name, key(ed)).state, 'known');
  assert.equal(checkHostKey(entries, name, key(otherEd)).state, 'changed');
  assert.equal(checkHostKey(entries, toKnownName('login.example.org', 22), key(ed)).state, 'unknown');
});

test('a key that is known without the port is good for another port, and a different one there says nothing', () => {
  const entries = parse(`login.example.org ssh-ed25519 ${ed}`);
  const name = toKnownName('login.example.org', 2222);
  assert.equal(checkHostKey(entries, name, key(ed), 'login.example.org').state, 'known');
  assert.equal(checkHostKey(entries, name, key(otherEd), 'login.example.org').state, 'unknown');
});

test('another key of the same type is a change, with the place of the old one', () => {
  const verdict = checkHostKey(parse(`\nhost ssh-ed25519 ${ed}`), 'host', key(otherEd));
  assert.ok(verdict.state === 'changed');
  assert.deepEqual([verdict.entry.file, verdict.entry.line], ['known_hosts', 2]);
});

test('one of several keys is enough', () => {
  const entries = parse(`host ssh-ed25519 ${otherEd}\nhost ssh-ed25519 ${ed}`);
  assert.equal(checkHostKey(entries, 'host', key(ed)).state, 'known');
});

test('a key of another type is unknown, and the known ones are told', () => {
  const verdict = checkHostKey(parse(`host ssh-rsa ${rsa}`), 'host', key(ed));
  assert.ok(verdict.state === 'unknown');
  assert.deepEqual(
    verdict.others.map(other => other.keyType),
    ['ssh-rsa'],
  );
});

test('a revoked key is refused, even where another line trusts it', () => {
  const entries = parse(`host ssh-ed25519 ${ed}\n@revoked * ssh-ed25519 ${ed}`);
  assert.equal(checkHostKey(entries, 'host', key(ed)).state, 'revoked');
  assert.equal(checkHostKey(entries, 'host', key(otherEd)).state, 'changed');
});

test('the key of a certificate authority is not the key of a host', () => {
  const verdict = checkHostKey(parse(`@cert-authority * ssh-ed25519 ${ed}`), 'host', key(ed));
  assert.ok(verdict.state === 'unknown');
  assert.equal(verdict.others[0]?.marker, '@cert-authority');
});

test('known types are found, those of authorities are not', () => {
  const entries = parse(`host ssh-rsa ${rsa}\n*.x,host ssh-ed25519 ${ed}\n@cert-authority host ssh-ed25519 ${ed}`);
  assert.deepEqual(findKnownKeyTypes(entries, 'host'), ['ssh-rsa', 'ssh-ed25519']);
});

test('a line that is written is found again, plain and hashed', () => {
  for (const hashed of [false, true]) {
    const line = formatKnownHost('[host]:2222', key(ed), hashed);
    assert.equal(line.includes('[host]'), !hashed);
    const entries = parse(line);
    assert.equal(checkHostKey(entries, '[host]:2222', key(ed)).state, 'known');
    assert.equal(checkHostKey(entries, '[host]:2223', key(ed)).state, 'unknown');
  }
});

test('fingerprints are those of ssh-keygen -l', () => {
  assert.equal(readKeyType(key(ed)), 'ssh-ed25519');
  assert.equal(toFingerprint(key(ed)), 'SHA256:IPOUi95qnhu16qxqSblxDtuhkJ0D6JyOmvQExjYv+28');
});

test('a name that ssh-keygen -H hashed is recognised', () => {
  // OpenSSH 9.2p1.
  const entries = parse(`|1|kXQo+JebG69PsljAX0m7nSV/y9w=|BquLTjGMGJmndgjTb++ZPy7TEhE= ssh-ed25519 ${ed}`);
  assert.equal(checkHostKey(entries, 'login.example.org', key(ed)).state, 'known');
  assert.equal(checkHostKey(entries, 'login.example.com', key(ed)).state, 'unknown');
});
