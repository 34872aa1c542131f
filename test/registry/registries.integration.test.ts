// Pulls from Debian's docker-registry as an unprivileged user, through the helper's command line.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { buildImage, buildIndex, busyboxImage } from '../support/images.ts';
import { findUser, isRoot, needPackages, run } from '../support/machine.ts';
import { startProxy } from '../support/proxy.ts';
import { noRegistry, pushImage, type Registry, type RegistryOptions, startRegistry } from '../support/registry.ts';
import { Layer } from '../support/tar.ts';
import { identityToken } from '../support/token-server.ts';

const skip = noRegistry ?? (isRoot ? undefined : 'the pull runs as another user, which needs root');
let helper: InstalledHelper;
let count = 0;

before(async () => {
  if (!skip) helper = await installHelper(findUser());
});
after(() => helper?.remove());

interface Pulled {
  code: number | null;
  stderr: string;
  image: { reference: string; digest: string; rootfs: string; config: Record<string, unknown> };
}

async function pull(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Pulled> {
  const store = join(helper.folder, `store${count++}`);
  const result = await helper.run(['image', 'pull', '--json', '--image-store', store, ...args], { env });
  return {
    code: result.code,
    stderr: result.stderr,
    image: result.code === 0 ? JSON.parse(result.stdout)[0] : undefined,
  };
}

async function withRegistry(options: RegistryOptions, use: (registry: Registry) => Promise<void>): Promise<void> {
  const registry = await startRegistry(options);
  try {
    await use(registry);
  } finally {
    await registry.stop();
  }
}

/** A `config.json` as `docker login` leaves it. */
function logIn(host: string, password: string): NodeJS.ProcessEnv {
  const auth = Buffer.from(`alice:${password}`).toString('base64');
  return configure({ auths: { [host]: { auth } } });
}

function configure(config: object, files: Record<string, string> = {}): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(helper.folder, 'docker-'));
  for (const [name, text] of Object.entries({ 'config.json': JSON.stringify(config), ...files })) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text, { mode: 0o755 });
  }
  run('chown', ['-R', `${helper.user.uid}:${helper.user.gid}`, folder]);
  return { DOCKER_CONFIG: folder };
}

test('a mirror, all compressions and both families of media types', { skip }, async () => {
  await withRegistry({}, async registry => {
    const recipe = {
      layers: [new Layer().file('one', '1'), new Layer().file('two', '2'), new Layer().file('three', '3')],
      config: {
        Env: ['PATH=/bin', 'WITH=a=b', 'EMPTY='],
        Entrypoint: ['/bin/run', 'it'],
        Cmd: ['$HOME'],
        WorkingDir: '/work',
        User: '1000:50',
      },
    };
    const family = { oci: ['gzip', 'none', 'zstd'] as const, docker: ['gzip', 'none', 'gzip'] as const };
    for (const name of ['oci', 'docker'] as const) {
      await pushImage(
        registry,
        `library/${name}:1.0`,
        buildImage({ ...recipe, family: name, compression: [...family[name]] }),
      );
      const pulled = await pull([`${name}:1.0`, '--mirror', `docker.io=${registry.url}`]);
      assert.equal(pulled.code, 0, pulled.stderr);
      assert.equal(pulled.image.reference, `docker.io/library/${name}:1.0`);
      assert.deepEqual(pulled.image.config, {
        env: { PATH: '/bin', WITH: 'a=b', EMPTY: '' },
        entrypoint: ['/bin/run', 'it'],
        command: ['$HOME'],
        workingDirectory: '/work',
        user: '1000:50',
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      });
      for (const [file, text] of [
        ['one', '1'],
        ['two', '2'],
        ['three', '3'],
      ] as const) {
        assert.equal(readFileSync(join(pulled.image.rootfs, file), 'utf8'), text);
      }
      assert.equal(readFileSync(join(pulled.image.rootfs, '.cwl-on-clusters'), 'utf8'), `${pulled.image.digest}\n`);
    }
  });
});

test('an image for several architectures, by tag, platform and digest', { skip }, async () => {
  await withRegistry({}, async registry => {
    const make = (architecture: string, variant?: string) =>
      buildImage({ layers: [new Layer().file('arch', `${architecture}${variant ?? ''}`)], architecture, variant });
    const index = buildIndex([
      make('amd64'),
      make('arm64', 'v8'),
      make('arm', 'v6'),
      make('arm', 'v7'),
      make('ppc64le'),
    ]);
    await pushImage(registry, 'tools/multi:latest', index);
    const name = `${registry.host}/tools/multi`;
    const cases: [string[], string][] = [
      [[name], process.arch === 'x64' ? 'amd64' : 'arm64v8'],
      [[name, '--platform', 'linux/arm64'], 'arm64v8'],
      [[name, '--platform', 'linux/arm/v6'], 'armv6'],
      [[name, '--platform', 'arm'], 'armv7'],
      [[`${name}@${index.digest}`, '--platform', 'linux/ppc64le'], 'ppc64le'],
    ];
    for (const [args, arch] of cases) {
      const pulled = await pull(args);
      assert.equal(pulled.code, 0, pulled.stderr);
      assert.equal(readFileSync(join(pulled.image.rootfs, 'arch'), 'utf8'), arch);
    }
    const missing = await pull([name, '--platform', 'linux/s390x']);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /has no image for linux\/s390x\nIt has linux\/amd64, linux\/arm64\/v8/);
  });
});

test('basic authentication, with what docker login left', { skip }, async () => {
  await withRegistry({ authentication: 'basic' }, async registry => {
    await pushImage(registry, 'private/tool:1', busyboxImage());
    const name = `${registry.host}/private/tool:1`;
    const good = await pull([name], logIn(registry.host, registry.password));
    assert.equal(good.code, 0, good.stderr);
    for (const env of [{}, logIn(registry.host, 'wrong'), logIn('elsewhere', registry.password)]) {
      const bad = await pull([name], env);
      assert.equal(bad.code, 1);
      assert.match(bad.stderr, /does not give out .*private\/tool:1/);
      assert.ok(!bad.stderr.includes(registry.password));
    }
  });
});

test('bearer tokens: anonymous for public images, with a login for private ones', { skip }, async () => {
  await withRegistry({ authentication: 'token' }, async registry => {
    for (const name of ['public/tool:1', 'private/tool:1']) await pushImage(registry, name, busyboxImage());
    const anonymous = await pull([`${registry.host}/public/tool:1`]);
    assert.equal(anonymous.code, 0, anonymous.stderr);
    const refused = await pull([`${registry.host}/private/tool:1`]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /does not give out/);
    const known = await pull([`${registry.host}/private/tool:1`], logIn(registry.host, registry.password));
    assert.equal(known.code, 0, known.stderr);
  });
});

test('an identity token is exchanged for a bearer token, and shown nowhere', { skip }, async () => {
  await withRegistry({ authentication: 'token' }, async registry => {
    await pushImage(registry, 'private/tool:1', busyboxImage());
    const name = `${registry.host}/private/tool:1`;
    const good = await pull([name], configure({ auths: { [registry.host]: { identitytoken: identityToken } } }));
    assert.equal(good.code, 0, good.stderr);
    const bad = await pull([name], configure({ auths: { [registry.host]: { identitytoken: 'stale-token' } } }));
    assert.equal(bad.code, 1);
    assert.ok(!bad.stderr.includes('stale-token'));
  });
});

test('programs that keep credentials: asked on standard input, for one host or for all', { skip }, async () => {
  await withRegistry({ authentication: 'token' }, async registry => {
    for (const name of ['public/tool:1', 'private/tool:1']) await pushImage(registry, name, busyboxImage());
    const image = `${registry.host}/private/tool:1`;
    const program = (answer: object) =>
      `#!/bin/sh\n[ "$*" = get ] || exit 2\nread -r server\necho "$server" >>"$DOCKER_CONFIG/asked"\n` +
      `case $server in ${registry.host}) echo '${JSON.stringify(answer)}';; *) echo "no $server"; exit 1;; esac\n`;
    const password = { Username: registry.username, Secret: registry.password };
    const token = { Username: '<token>', Secret: identityToken };
    const cases: [object, object][] = [
      [{ credHelpers: { [registry.host]: 'keeper' } }, password],
      [{ credsStore: 'keeper' }, password],
      [{ credsStore: 'keeper' }, token],
    ];
    for (const [config, answer] of cases) {
      const env = configure(config, { 'bin/docker-credential-keeper': program(answer) });
      const pulled = await pull([image], { ...env, PATH: `${env.DOCKER_CONFIG}/bin:${process.env.PATH}` });
      assert.equal(pulled.code, 0, pulled.stderr);
      assert.match(readFileSync(join(env.DOCKER_CONFIG as string, 'asked'), 'utf8'), new RegExp(registry.host));
    }
    // A configuration that came from another machine names a program that is not here: no matter for public images.
    const foreign = configure({ credsStore: 'desktop' });
    const open = await pull([`${registry.host}/public/tool:1`], foreign);
    assert.equal(open.code, 0, open.stderr);
    const closed = await pull([image], foreign);
    assert.equal(closed.code, 1);
    assert.match(closed.stderr, /docker-credential-desktop can't be run on this machine/);
    const path = await pull([image], configure({ credsStore: '../../bin/keeper' }));
    assert.match(path.stderr, /is no name of a program/);
  });
});

test("podman's auth.json, with an entry for a part of the registry", { skip }, async () => {
  await withRegistry({ authentication: 'token' }, async registry => {
    await pushImage(registry, 'private/group/tool:1', busyboxImage());
    const auth = Buffer.from(`alice:${registry.password}`).toString('base64');
    const wrong = Buffer.from('alice:wrong').toString('base64');
    const auths = { [registry.host]: { auth: wrong }, [`${registry.host}/private/group`]: { auth } };
    const { DOCKER_CONFIG: folder } = configure({}, { 'auth.json': JSON.stringify({ auths }) });
    const env = { REGISTRY_AUTH_FILE: `${folder}/auth.json` };
    const pulled = await pull([`${registry.host}/private/group/tool:1`], env);
    assert.equal(pulled.code, 0, pulled.stderr);
  });
});

test('the proxy of the environment carries HTTP and HTTPS, and the hosts that are excepted go without', {
  skip,
}, async context => {
  await withRegistry({ tls: true }, async secure => {
    await withRegistry({}, async plain => {
      for (const each of [secure, plain]) await pushImage(each, 'library/tool:1', busyboxImage());
      const proxy = await startProxy();
      context.after(() => proxy.stop());
      const ca = { SSL_CERT_FILE: secure.ca };
      const through = { https_proxy: proxy.url, HTTP_PROXY: proxy.url, ...ca };
      const tunnelled = await pull(['tool:1', '--mirror', `docker.io=${secure.url}`], through);
      assert.equal(tunnelled.code, 0, tunnelled.stderr);
      assert.ok(
        proxy.requests.every(line => line === `CONNECT ${secure.host}`),
        proxy.requests.join('\n'),
      );
      assert.ok(proxy.requests.length > 0);
      proxy.requests.length = 0;
      const forwarded = await pull(['tool:1', '--mirror', `docker.io=${plain.url}`], through);
      assert.equal(forwarded.code, 0, forwarded.stderr);
      assert.ok(proxy.requests.some(line => line.startsWith(`GET ${plain.url}/v2/`)));
      proxy.requests.length = 0;
      const direct = await pull(['tool:1', '--mirror', `docker.io=${plain.url}`], {
        ...through,
        NO_PROXY: '127.0.0.1',
      });
      assert.equal(direct.code, 0, direct.stderr);
      assert.deepEqual(proxy.requests, []);
    });
  });
});

test('the CA of one host, where Docker keeps it', { skip }, async () => {
  await withRegistry({ tls: true }, async registry => {
    await pushImage(registry, 'library/tool:1', busyboxImage());
    const ca = readFileSync(registry.ca as string, 'utf8');
    const args = [`${registry.host}/library/tool:1`];
    const pulled = await pull(args, configure({}, { [`certs.d/${registry.host}/ca.crt`]: ca }));
    assert.equal(pulled.code, 0, pulled.stderr);
    const other = await pull(args, configure({}, { 'certs.d/127.0.0.1:1/ca.crt': ca }));
    assert.equal(other.code, 1);
    assert.match(other.stderr, /certificate/);
  });
});

test('HTTPS with a CA of its own, named by the environment; otherwise refused', { skip }, async () => {
  await withRegistry({ tls: true }, async registry => {
    // A mirror may keep what it mirrors below a path of its own.
    await pushImage(registry, 'proxied/library/tool:1', busyboxImage());
    const args = ['tool:1', '--mirror', `docker.io=${registry.url}/proxied`];
    for (const name of ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) {
      const found = await pull(args, { [name]: registry.ca });
      assert.equal(found.code, 0, found.stderr);
    }
    const refused = await pull(args);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /certificate/);
  });
});

test('a second image costs only the layers that the first does not have', { skip }, async () => {
  await withRegistry({}, async registry => {
    await pushImage(registry, 'library/one:1', busyboxImage({ layers: [new Layer().file('one', '1')] }));
    await pushImage(registry, 'library/two:1', busyboxImage({ layers: [new Layer().file('two', '2')] }));
    const store = join(helper.folder, 'shared');
    for (const name of ['one', 'two']) {
      const args = ['image', 'pull', `${name}:1`, '--image-store', store, '--mirror', `docker.io=${registry.url}`];
      const result = await helper.run(args);
      assert.equal(result.code, 0, result.stderr);
    }
    const fetched = registry.log().match(/GET \/v2\/library\/two\/blobs\/sha256:\w+/g) ?? [];
    assert.equal(new Set(fetched).size, 2, 'its configuration and its own layer');
  });
});

test('the bytes of docker save, old and new, and of docker export', { skip }, async () => {
  needPackages('xz-utils', 'zstd', 'bzip2');
  const folder = join(helper.folder, 'archives');
  const layer = new Layer().directory('data').file('data/x', 'saved').toBuffer();
  const image = buildImage({ layers: [layer], compression: 'none' });
  const manifest = JSON.parse(image.manifest.toString('utf8'));
  const config = image.blobs.get(manifest.config.digest) as Buffer;
  const id = manifest.config.digest.slice(7);
  const write = (name: string, files: [string, Buffer | string][]) => {
    const archive = new Layer();
    for (const [path, data] of files) archive.file(path, data);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), archive.toBuffer());
  };
  const list = (Config: string, Layers: string[]) => JSON.stringify([{ Config, RepoTags: ['tool:1'], Layers }]);
  write('old.tar', [
    ['abc/layer.tar', layer],
    [`${id}.json`, config],
    ['manifest.json', list(`${id}.json`, ['abc/layer.tar'])],
  ]);
  write('new.tar', [
    [`blobs/sha256/${id}`, config],
    ['blobs/sha256/feed', layer],
    ['manifest.json', list(`blobs/sha256/${id}`, ['blobs/sha256/feed'])],
  ]);
  writeFileSync(join(folder, 'export.tar'), layer);
  for (const [program, suffix] of [
    ['gzip', 'gz'],
    ['xz', 'xz'],
    ['zstd', 'zst'],
    ['bzip2', 'bz2'],
  ] as const) {
    run('sh', [
      '-c',
      `${program} -c "$0/export.tar" > "$0/export.tar.${suffix}" && ${program} -c "$0/old.tar" > "$0/old.tar.${suffix}"`,
      folder,
    ]);
  }
  run('chmod', ['-R', 'a+rX', folder]);
  const suffixes = ['', '.gz', '.xz', '.zst', '.bz2'];
  const cases = [
    ['load', 'new.tar'],
    ...suffixes.flatMap(each => [
      ['load', `old.tar${each}`],
      ['import', `export.tar${each}`],
    ]),
  ];
  for (const [command = '', file = ''] of cases) {
    const store = join(helper.folder, `store${count++}`);
    const result = await helper.run(['image', command, join(folder, file), '--image-store', store, '--json']);
    assert.equal(result.code, 0, `${file}: ${result.stderr}`);
    const [made] = JSON.parse(result.stdout);
    assert.equal(readFileSync(join(made.rootfs, 'data/x'), 'utf8'), 'saved', file);
    assert.equal(made.reference, command === 'load' ? 'docker.io/library/tool:1' : join(folder, file));
  }
  const wrong = await helper.run([
    'image',
    'load',
    join(folder, 'export.tar'),
    '--image-store',
    join(helper.folder, 'wrong'),
  ]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /is neither from `docker save` nor an OCI image\n.*image import/);
});
