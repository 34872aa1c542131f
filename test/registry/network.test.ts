import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from '#registry/authorization.ts';
import { findProxy } from '#registry/proxy.ts';

test('challenges, alone and several in one header', () => {
  assert.deepEqual(
    parseChallenges('Bearer realm="https://auth/token",service="registry",scope="repository:a/b:pull"'),
    [{ scheme: 'bearer', fields: { realm: 'https://auth/token', service: 'registry', scope: 'repository:a/b:pull' } }],
  );
  assert.deepEqual(parseChallenges('Basic realm="a \\"quoted\\" word", Bearer realm=plain'), [
    { scheme: 'basic', fields: { realm: 'a "quoted" word' } },
    { scheme: 'bearer', fields: { realm: 'plain' } },
  ]);
  assert.deepEqual(parseChallenges('Negotiate'), [{ scheme: 'negotiate', fields: {} }]);
});

test('the proxy of the environment, and the hosts that are excepted', () => {
  const env = {
    https_proxy: 'http://proxy:3128',
    HTTP_PROXY: 'proxy2:80',
    no_proxy: 'localhost, .inner.org,exact.net:8443 *.star.io',
  };
  const find = (url: string, more = {}) => findProxy(new URL(url), { ...env, ...more })?.href;
  assert.equal(find('https://quay.io/'), 'http://proxy:3128/');
  assert.equal(find('http://quay.io/'), 'http://proxy2/');
  for (const host of ['localhost', 'inner.org', 'a.inner.org', 'exact.net:8443', 'a.star.io']) {
    assert.equal(find(`https://${host}/`), undefined, host);
  }
  assert.equal(find('https://exact.net/'), 'http://proxy:3128/');
  assert.equal(find('https://notinner.org/'), 'http://proxy:3128/');
  assert.equal(find('https://quay.io/', { no_proxy: '*' }), undefined);
  assert.equal(findProxy(new URL('https://quay.io'), {}), undefined);
});
