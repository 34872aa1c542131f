import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Descriptor, parseConfiguration, parseManifest } from '#registry/manifest.ts';
import { choosePlatform, parsePlatform } from '#registry/platform.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

function entries(...platforms: string[]): Descriptor[] {
  return platforms.map((text, i) => {
    const [os = '', architecture = '', variant] = text.split('/');
    return { mediaType: '', digest: digest('abcdef'[i] as string), size: 1, platform: { os, architecture, variant } };
  });
}

test('the best image that a machine can run is chosen', () => {
  const cases: [string[], string, string][] = [
    [['linux/arm64', 'linux/amd64'], 'linux/amd64', 'b'],
    [['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v7'], 'linux/arm/v6', 'b'],
    [['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v7'], 'linux/arm', 'c'],
    [['linux/arm64/v8'], 'linux/arm64', 'a'],
    [['linux/arm64'], 'linux/arm64/v8', 'a'],
    [['linux/amd64/v3', 'linux/amd64'], 'linux/amd64', 'b'],
    [['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 'linux/amd64/v3', 'b'],
    [['unknown/unknown', 'windows/amd64', 'linux/amd64'], 'linux/amd64', 'c'],
  ];
  for (const [offered, wanted, letter] of cases) {
    assert.equal(
      choosePlatform(entries(...offered), parsePlatform(wanted), 'x').digest,
      digest(letter),
      `${offered} for ${wanted}`,
    );
  }
  assert.throws(() => choosePlatform(entries('linux/amd64/v3'), parsePlatform('linux/amd64'), 'x'), {
    code: 'image/no-platform',
  });
  assert.throws(() => parsePlatform('windows/amd64'), { code: 'image/invalid-platform' });
});

test('manifests and indexes are told by what they hold', () => {
  const one = { mediaType: 'x', digest: digest('a'), size: 3 };
  const parse = (json: unknown) => parseManifest(Buffer.from(JSON.stringify(json)), 'x');
  assert.equal(parse({ schemaVersion: 2, config: one, layers: [one, one] }).kind, 'manifest');
  assert.equal(parse({ schemaVersion: 2, manifests: [one] }).kind, 'index');
  assert.throws(() => parse({ schemaVersion: 1, name: 'x' }), { code: 'image/schema-1' });
  for (const size of [-1, 1.5, '1', null]) {
    assert.throws(() => parse({ config: { ...one, size }, layers: [] }), { code: 'image/invalid-manifest' });
  }
});

test('a configuration may leave nearly everything out', () => {
  const parse = (json: unknown) => parseConfiguration(Buffer.from(JSON.stringify(json)), 'x');
  assert.deepEqual(parse({}), {
    os: 'linux',
    variant: undefined,
    diffIds: [],
    image: {
      env: {},
      entrypoint: [],
      command: [],
      workingDirectory: undefined,
      user: undefined,
      architecture: 'unknown',
    },
  });
  const { image } = parse({
    config: { Env: ['A=b=c', 'EMPTY=', 'none', '=x'], Cmd: null, Entrypoint: ['a'] },
    rootfs: null,
  });
  assert.deepEqual(image.env, { A: 'b=c', EMPTY: '' });
  assert.deepEqual(image.entrypoint, ['a']);
});
