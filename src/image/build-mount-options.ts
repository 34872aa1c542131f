import { posix } from 'node:path';
import { Failure } from '#base/failure.ts';

/** One `--mount` of a RUN, read. */
export interface Mount {
  type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  /** Absolute, inside. */
  target: string;
  /** False where the target is only the usual one. */
  hasTarget: boolean;
  source: string;
  from?: string;
  id: string;
  isWritable: boolean;
  isRequired: boolean;
  sharing: 'shared' | 'private' | 'locked';
  /** Variable that gets a secret. */
  variable?: string;
  mode?: number;
  /** Bytes. */
  size?: number;
}

/** Options by type (Dockerfile reference, RUN --mount). */
const known: Record<Mount['type'], string[]> = {
  bind: ['source', 'from', 'rw', 'ro'],
  cache: ['id', 'source', 'from', 'rw', 'ro', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['size', 'mode'],
  secret: ['id', 'source', 'env', 'required', 'mode', 'uid', 'gid'],
  ssh: ['id', 'required', 'mode', 'uid', 'gid'],
};

const names: Record<string, string> = {
  dst: 'target',
  destination: 'target',
  src: 'source',
  readwrite: 'rw',
  readonly: 'ro',
};

/** Reads `type=cache,target=/x,...`; `index` counts the mounts. Throws a Failure `image/invalid-dockerfile`. */
export function parseMount(text: string, workingDirectory: string, index: number): Mount {
  const options: Record<string, string> = {};
  for (const [, quoted, plain] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,]+))(?:,|$)/gs)) {
    const part = quoted?.replaceAll('""', '"') ?? (plain as string);
    const [, name = '', value = 'true'] = /^([^=]*)(?:=(.*))?$/s.exec(part) ?? [];
    options[names[name] ?? name] = value;
  }
  const { type: typeName = 'bind', target, ...rest } = options;
  const type = Object.keys(known).find(each => each === typeName) as Mount['type'] | undefined;
  if (!type) throw wrong(text, `there is no type ${typeName}`);
  const other = Object.keys(rest).find(name => !known[type].includes(name));
  if (other !== undefined) throw wrong(text, `type=${type} has no option ${other}`);
  const { source, from, id, env, mode, size, sharing = 'shared' } = rest;
  if (sharing !== 'shared' && sharing !== 'private' && sharing !== 'locked') {
    throw wrong(text, `sharing is shared, private or locked, not ${sharing}`);
  }
  if (mode !== undefined && !/^[0-7]{1,4}$/.test(mode)) throw wrong(text, `${mode} is no mode`);
  if (type === 'ssh' && mode !== undefined && !/^0*600$/.test(mode)) {
    throw wrong(text, 'the socket is the agent’s own, and its mode stays 0600');
  }
  if (env !== undefined && !/^[A-Za-z_]\w*$/.test(env)) throw wrong(text, `${env} is no name of a variable`);
  const isOn = (name: string) => name in rest && readSwitch(text, name, rest[name] as string);
  const name = id ?? posix.basename(source ?? target ?? env ?? '');
  const usual = { secret: `/run/secrets/${name}`, ssh: `/run/buildkit/ssh_agent.${index}` } as Record<string, string>;
  const guest = target ?? usual[type];
  if (guest === undefined) throw wrong(text, 'it needs a target');
  if (type === 'secret' && name === '') throw wrong(text, 'it needs an id');
  const path = posix.resolve(workingDirectory, guest);
  if (path === '/') throw wrong(text, 'the target cannot be /');
  return {
    type,
    target: path,
    hasTarget: target !== undefined,
    source: source ?? '/',
    ...(from !== undefined && { from }),
    id: type === 'cache' ? (id ?? path) : type === 'ssh' ? (id ?? 'default') : name,
    isWritable: 'rw' in rest ? isOn('rw') : type === 'cache' && !isOn('ro'),
    isRequired: isOn('required'),
    sharing,
    ...(env !== undefined && { variable: env }),
    ...(mode !== undefined && { mode: Number.parseInt(mode, 8) }),
    ...(size !== undefined && { size: readSize(text, size) }),
  };
}

function readSwitch(text: string, name: string, value: string): boolean {
  if (['true', '1'].includes(value)) return true;
  if (['false', '0'].includes(value)) return false;
  throw wrong(text, `${name}=${value} is neither true nor false`);
}

/** `100m` and its like, in bytes. */
function readSize(text: string, size: string): number {
  const [, number, unit = ''] = /^(\d+)([kmgt]?)i?b?$/i.exec(size) ?? [];
  if (number === undefined) throw wrong(text, `${size} is no size`);
  return Number(number) * 1024 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ');
}

function wrong(text: string, reason: string): Failure {
  return new Failure('image/invalid-dockerfile', `RUN --mount=${text}: ${reason}`);
}
