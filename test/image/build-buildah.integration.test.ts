// Odd Dockerfiles, built here and by buildah as the same unprivileged user: the same files, and the same configuration.
import assert from 'node:assert/strict';
import { chmodSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { makeFolder, needPackages, runAs } from '../support/machine.ts';
import { Layer } from '../support/tar.ts';
import { type Builder, openBuilder } from './builder.ts';
import { readTree } from './rootfs.ts';

let builder: Builder;
let place: ReturnType<typeof makeFolder>;
let storage: string[];

before(async () => {
  needPackages('buildah', 'runc', 'uidmap');
  builder = await openBuilder();
  place = makeFolder(builder.helper.user, 'b-');
  // No file system here but this one is sure to be there.
  storage = ['--storage-driver', 'vfs', '--root', join(place.path, 'graph'), '--runroot', join(place.path, 'run')];
  writeFileSync(join(place.path, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
  const pull = ['pull', '-q', '--signature-policy', join(place.path, 'policy.json')];
  const { stdout } = await buildah([...pull, 'oci:layout:latest']);
  await buildah(['tag', stdout.trim(), 'docker.io/test/base:latest', 'localhost/test/base:latest']);
});
after(async () => {
  // Some of it belongs to other ids of the user's namespace.
  if (place) await buildah(['unshare', 'rm', '-rf', join(place.path, 'graph'), join(place.path, 'run')], false);
  place?.remove();
  builder?.helper.remove();
});

async function buildah(args: string[], isSure = true) {
  const [command = '', ...rest] = args;
  const words = command === 'unshare' ? args : [...storage, command, ...rest];
  const env = { HOME: place.path, XDG_RUNTIME_DIR: place.path, TMPDIR: place.path, BUILDAH_ISOLATION: 'chroot' };
  const result = await runAs(builder.helper.user, 'timeout', ['120', 'buildah', ...words], {
    env,
    cwd: builder.helper.folder,
  });
  if (isSure) assert.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}`);
  return result;
}

/** Both trees as text, and both configurations in the words of Docker. */
async function compare(files: Record<string, string>, args: string[] = [], prepare?: (folder: string) => void) {
  const folder = builder.makeContext(files);
  prepare?.(folder);
  builder.own(folder);
  const ours = await builder.buildIn(folder, ['-t', 'test/ours:1', ...args]);
  assert.equal(ours.code, 0, ours.stderr);
  const bud = [
    'bud',
    '--layers=false',
    '--pull-never',
    '--format',
    'docker',
    '-t',
    'localhost/theirs:1',
    ...args,
    folder,
  ];
  await buildah(bud);
  const archive = join(place.path, 'theirs.tar');
  rmSync(archive, { force: true });
  await buildah(['push', '-q', 'localhost/theirs:1', `docker-archive:${archive}`]);
  const { code, stderr } = await builder.helper.run(['image', 'load', '--name', 'test/theirs:1', archive]);
  assert.equal(code, 0, stderr);
  const described = await builder.helper.run(['docker', 'inspect', 'test/ours:1', 'test/theirs:1']);
  const [own, other] = JSON.parse(described.stdout);
  return {
    files: [
      readTree(own.GraphDriver.Data.Root, isCompared),
      readTree(other.GraphDriver.Data.Root, isCompared),
    ] as const,
    config: [normalise(own.Config), normalise(other.Config)] as const,
  };
}

/**
 * What sandboxes and buildah add for their mounts is nobody's. buildah makes the folders of volumes at once, Docker when a
 * container starts.
 */
function isCompared(path: string): boolean {
  return !/^(\.cwl-on-clusters|proc|dev|sys|tmp|w|t|in|etc|run|v[12]|etc\/hosts|etc\/hostname|etc\/resolv\.conf|bin(\/.*)?)$/.test(
    path,
  );
}

function normalise(config: Record<string, unknown>) {
  const keys =
    'Env Entrypoint Cmd WorkingDir User Labels Volumes OnBuild ExposedPorts StopSignal Healthcheck Shell'.split(' ');
  const isEmpty = (value: unknown) =>
    value === '' || value == null || (typeof value === 'object' && Object.keys(value).length === 0);
  const kept = keys.filter(key => !isEmpty(config[key])).map(key => [key, config[key]]);
  const { Labels: labels, Env: env, ...rest } = Object.fromEntries(kept);
  const { 'io.buildah.version': _, ...own } = labels ?? {};
  return { ...rest, env: [...(env ?? [])].sort(), labels: own };
}

const cases: [name: string, files: Record<string, string>, args?: string[], prepare?: (folder: string) => void][] = [
  [
    'destinations, modes and merging of COPY',
    {
      'd/e/f': '1',
      'd/x!': '2',
      'a b/c': '3',
      g: '4',
      'l/h': '->../g',
      'l/dir': '->../d',
      Dockerfile: `FROM test/base:latest
COPY d /new
COPY d /new2/
COPY g /deep/er/file
COPY g /deep/er/folder/
COPY ["a b", "/spaced out/"]
COPY g g2* /many/
RUN mkdir -p /target && ln -s target /linked && mkdir /merge && echo old >/merge/x && echo stays >/merge/y
COPY d /linked/
COPY g /linked
COPY d /merge
COPY l /links/
COPY l/h /followed
WORKDIR /made/by/workdir
COPY g .
COPY d ./sub
COPY --chmod=0711 d /modes
COPY . /all
`,
    },
    [],
    folder => {
      chmodSync(join(folder, 'd'), 0o700);
      chmodSync(join(folder, 'g'), 0o640);
      utimesSync(join(folder, 'g'), 1e9, 1e9);
    },
  ],
  [
    'variables of all kinds, and where they hold',
    {
      Dockerfile: `ARG TAG=latest
ARG UNSEEN=global
FROM test/base:\${TAG} AS one
ARG UNSEEN
ARG A=default
ARG B=\${A}-b
ENV C=$B D="\${A:+set} \${NONE:-unset} \${NONE:+never}" E='$A' F=a\\ b
ENV OLD one  two
ENV A=env
ENV SELF=1 OTHER=$SELF
LABEL l.$A="\${C}" multi="a \\
b" 'q'=x
RUN echo "$UNSEEN|$A|$B|$C|$D|$E|$F|$OLD|$OTHER|\${GIVEN-none}" >/vars
ARG GIVEN
RUN echo "$GIVEN" >>/vars
WORKDIR /\${A}/$B
USER root
EXPOSE 80/tcp $NONE 90/udp
STOPSIGNAL SIG\${NONE:-TERM}
VOLUME /v1 "/v2"
FROM one
ARG A
RUN echo "$A|$B|$GIVEN|$C" >/second
ENV PATH=/x:$PATH
CMD echo $A
`,
    },
    ['--build-arg', 'GIVEN=given', '--build-arg', 'A=of the caller'],
  ],
  [
    'entry points, commands and metadata on top of those of the base',
    {
      Dockerfile: `FROM test/base:latest AS with
CMD ["a", "b"]
ENTRYPOINT ["/bin/echo", "x"]
FROM with
ENTRYPOINT echo shell form
HEALTHCHECK --interval=1m --timeout=3s --start-period=5s --retries=4 CMD ["true", "x"]
CMD for the shell
SHELL ["/bin/sh", "-euc"]
ONBUILD COPY . /x
ONBUILD RUN echo y
LABEL a=1
LABEL a=2 b=""
USER 12
WORKDIR rel
WORKDIR ../up
`,
    },
  ],
  [
    'stages by name and number, and files of images',
    {
      f: 'f',
      Dockerfile: `FROM test/base:latest AS first
RUN echo 1 >/one && mkdir -p /d/e && ln -s /d/e /to && chmod 700 /d && echo x >/d/e/x
FROM test/base:latest
COPY --from=first /one /etc/group /files/
COPY --from=0 /d /d
COPY --from=first /to/x /through
COPY --from=0 /to /to
COPY --from=test/base:latest /etc/passwd /pass/
`,
    },
  ],
  [
    'what .dockerignore leaves out',
    {
      '.dockerignore': '# no\n*.log\n!keep.log\n**/tmp\n/top\nd/*\n!d/kept\nsecret/**\n!secret/shown\n a.txt \n',
      'x.log': '',
      'keep.log': '',
      'sub/x.log': '',
      'sub/tmp/y': '',
      'tmp/y': '',
      'top/y': '',
      'sub/top/y': '',
      'd/lost': '',
      'd/kept/x': '',
      'secret/a': '',
      'secret/shown': '',
      'a.txt': '',
      'sub/a.txt': '',
      Dockerfile: 'FROM scratch\nCOPY . /all/\nCOPY s* /patterns/\n',
    },
  ],
  [
    'what a command does to files',
    {
      Dockerfile: `# escape=\`
FROM test/base:latest
RUN mkdir -p /a/b && echo x >/a/b/c && ln /a/b/c /a/hard && ln -s b/c /a/soft && mkfifo /a/pipe && \`
    chmod 500 /a/b
RUN rm -rf /a/b && mkdir /a/b && chmod 2750 /a/b; cp /bin/busybox /mine; chmod 4755 /mine; chmod 000 /a/hard; mv /a/soft /a/moved
RUN rm /home -r && echo now a file >/home && rm -f /var; rm -rf /var && ln -s /usr /var && touch /var/through
RUN ["touch", "/$A b"]
USER nobody:nobody
RUN mkdir -p /tmp/mine && chmod 777 /tmp/mine && id -u >/tmp/mine/ids && id -g >>/tmp/mine/ids
USER 7:8
WORKDIR /tmp/mine
RUN touch c:\\x && pwd
USER root
COPY --chown=nobody:nobody f /owned/
COPY f /a/b/
`,
      f: 'f',
    },
  ],
  [
    'archives',
    {
      Dockerfile: `FROM test/base:latest
ADD it.tar it.tar.gz /both/
ADD it.tar.gz /file
COPY it.tar /kept/
ADD not.tar.gz /plain/
RUN mkdir -p /over && echo mine >/over/f && chmod 700 /over
ADD it.tar /over
`,
    },
    [],
    folder => {
      const tar = new Layer()
        .directory('d', 0o750)
        .file('d/x', 'x', 0o600)
        .file('f', 'f')
        .symlink('l', '/etc')
        .toBuffer();
      writeFileSync(join(folder, 'it.tar'), tar);
      writeFileSync(join(folder, 'it.tar.gz'), gzipSync(tar));
      writeFileSync(join(folder, 'not.tar.gz'), 'no archive');
    },
  ],
];

for (const [name, files, args, prepare] of cases) {
  test(name, async () => {
    const { files: trees, config } = await compare(files, args, prepare);
    assert.deepEqual(trees[0], trees[1]);
    assert.deepEqual(config[0], config[1]);
  });
}
