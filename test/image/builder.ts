// Dockerfiles built by the helper's bundle, as an unprivileged user, on base images of busybox.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type InstalledHelper, installHelper } from '../support/helper.ts';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { findUser, isRoot } from '../support/machine.ts';

export interface Built {
  code: number | null;
  stderr: string;
  rootfs: string;
  digest: string;
  /** The context. */
  folder: string;
}

export interface Builder {
  helper: InstalledHelper;
  /** A folder to build from; texts by path, links by `->`, an `!` at the end of a path makes the file executable. */
  makeContext(files: Record<string, string>): string;
  build(files: Record<string, string>, args?: string[], env?: NodeJS.ProcessEnv): Promise<Built>;
  /** Builds in a folder that is there. */
  buildIn(folder: string, args?: string[], env?: NodeJS.ProcessEnv): Promise<Built>;
  /** What the store says of an image. */
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of `image inspect`
  inspect(name: string): Promise<any>;
  assertNothingHalfMade(): void;
  own(path: string): void;
}

/** `test/base:latest`, and `test/trigger:trigger` with an ONBUILD. */
export async function openBuilder(): Promise<Builder> {
  const helper = await installHelper(findUser());
  let counter = 0;
  const own = (path: string) => {
    if (isRoot) spawnSync('chown', ['-hR', `${helper.user.uid}:${helper.user.gid}`, path]);
  };
  const layout = join(helper.folder, 'layout');
  const config = {
    Env: ['PATH=/bin:/usr/bin', 'BASE=yes'],
    Cmd: ['sh'],
    OnBuild: ['RUN echo triggered >/triggered'],
    Labels: { from: 'base' },
  };
  writeLayout(layout, { latest: busyboxImage(), trigger: busyboxImage({ config }) });
  own(layout);
  for (const [tag, name] of Object.entries({ latest: 'base', trigger: 'trigger' })) {
    const { code, stderr } = await helper.run(['image', 'load', '--name', `test/${name}:${tag}`, layout]);
    assert.equal(code, 0, stderr);
  }
  const makeContext = (files: Record<string, string>) => {
    const folder = join(helper.folder, `context-${++counter}`);
    for (const [path, text] of Object.entries(files)) {
      const place = join(folder, path.replace(/!$/, ''));
      mkdirSync(dirname(place), { recursive: true });
      if (text.startsWith('->')) symlinkSync(text.slice(2), place);
      else writeFileSync(place, text);
      if (path.endsWith('!')) chmodSync(place, 0o755);
    }
    own(folder);
    return folder;
  };
  const buildIn = async (folder: string, args: string[] = [], env?: NodeJS.ProcessEnv) => {
    const { code, stdout, stderr } = await helper.run(['image', 'build', '--pull=never', ...args, folder], { env });
    const [head = '', rootfs = ''] = stdout.split('\n');
    return { code, stderr, rootfs, digest: head.split(' ').pop() as string, folder };
  };
  return {
    helper,
    makeContext,
    buildIn,
    build: (files, args, env) => buildIn(makeContext(files), args, env),
    async inspect(name) {
      const { stdout, stderr } = await helper.run(['image', 'inspect', name]);
      return JSON.parse(stdout || assert.fail(stderr))[0];
    },
    assertNothingHalfMade: () => assert.deepEqual(readdirSync(join(helper.home, 'images/temporary')), []),
    own,
  };
}

/** What lies below a folder, sorted; folders end in `/`. */
export function list(root: string, path = ''): string[] {
  const found = readdirSync(join(root, path), { recursive: true }) as string[];
  return found.map(each => (lstatSync(join(root, path, each)).isDirectory() ? `${each}/` : each)).sort();
}

export function modeOf(path: string): string {
  return (lstatSync(path).mode & 0o7777).toString(8);
}
