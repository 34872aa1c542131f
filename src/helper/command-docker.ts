import { resolve } from 'node:path';
import { Failure } from '#base/failure.ts';
import { version } from '#base/version.ts';
import type { ConvertOptions } from '#image/convert.ts';
import type { StoredImage } from '#image/image-record.ts';
import { type HelperCommand, type Invocation, usageFailure } from './command-line.ts';
import { describeImage, splitName } from './docker-describe.ts';
import { type DockerContext, runContainer } from './docker-run.ts';
import { findHome } from './home.ts';
import { makeProgressPrinter } from './progress-line.ts';
import { formatTable } from './table.ts';

/**
 * `docker [--engine NAME] [--docker-command CMD] [--image-store DIR] [--mirror HOST=URL]... run|build|pull|load|import|images|inspect|rmi|version`:
 * what programs that call Docker ask of it, without a daemon and without root. Words and exit statuses are Docker's.
 */
export const docker: HelperCommand = async invocation => {
  const { context, name, rest } = await readArguments(invocation);
  const action = actions[name];
  if (action) return action(rest, context);
  throw usageFailure(`docker has no ${name || 'empty command'} here`, `It has ${Object.keys(actions).join(', ')}.`);
};

const actions: Record<string, (args: string[], context: DockerContext) => Promise<number>> = {
  run: runContainer,
  build,
  pull,
  load,
  import: importRootfs,
  images,
  inspect,
  rmi: remove,
  version: showVersion,
};

/** What `docker image ...` calls the same. */
const imageNames: Record<string, string> = { ls: 'images', list: 'images', rm: 'rmi' };

async function readArguments(
  invocation: Invocation,
): Promise<{ context: DockerContext; name: string; rest: string[] }> {
  const { openImageStore } = await import('./image-store.ts');
  const mirrors: Record<string, string> = {};
  const args = [...invocation.args];
  let folder = findHome().images;
  let engine: string | undefined;
  let dockerCommand: string | undefined;
  while (args[0]?.startsWith('-')) {
    const [, option = '', inline] = /^([^=]*)(?:=(.*))?$/s.exec(args.shift() as string) ?? [];
    // cwltool says so to whatever has "udocker" in its name.
    if (option === '--quiet') continue;
    if (option === '--version') {
      args.unshift('version');
      break;
    }
    const value = inline ?? args.shift();
    if (value === undefined) throw usageFailure(`docker: ${option} needs a value`);
    if (option === '--engine') engine = value;
    else if (option === '--docker-command') dockerCommand = value;
    else if (option === '--image-store') folder = resolve(value);
    else if (option === '--mirror' && value.indexOf('=') > 0) {
      mirrors[value.slice(0, value.indexOf('='))] = value.slice(value.indexOf('=') + 1);
    } else throw usageFailure(`docker: ${option} ${value} is not known here`);
  }
  let [name = '', ...rest] = args;
  if (name === 'image') {
    const [word = '', ...others] = rest;
    name = imageNames[word] ?? word;
    rest = others;
  }
  return { context: { store: openImageStore(folder), mirrors, engine, dockerCommand, invocation }, name, rest };
}

async function build(args: string[], { store, mirrors, engine, invocation }: DockerContext): Promise<number> {
  const { buildFromCommandLine } = await import('./image-build.ts');
  return buildFromCommandLine(args, invocation, { store, mirrors, engine });
}

async function pull(args: string[], context: DockerContext): Promise<number> {
  const { options, names } = split(args, { flags: ['--quiet', '-q'], values: ['--platform'] });
  const [{ pullImage }, { parsePlatform }] = await Promise.all([
    import('#image/pull.ts'),
    import('#registry/platform.ts'),
  ]);
  const platform = options['--platform'] === undefined ? undefined : parsePlatform(options['--platform']);
  for (const name of needNames('pull', names)) {
    const made = await withProgress(context, convert =>
      pullImage(name, { ...convert, mirrors: context.mirrors, platform, policy: 'always' }),
    );
    context.invocation.stdout(`Digest: ${made.digest}\n${made.reference}\n`);
  }
  return 0;
}

async function load(args: string[], context: DockerContext): Promise<number> {
  const { options, names } = split(args, { flags: ['--quiet', '-q'], values: ['--input', '-i'] });
  if (names.length > 0) throw usageFailure('docker load reads --input FILE, or its standard input');
  const { loadImages } = await import('#image/load.ts');
  const place = toPlace(options['--input'] ?? options['-i'] ?? '-');
  const loaded = await withProgress(context, convert => loadImages(place, convert));
  for (const { image, names: all } of loaded) {
    for (const name of all) {
      const isNamed = name !== image.digest && name !== place;
      context.invocation.stdout(isNamed ? `Loaded image: ${name}\n` : `Loaded image ID: ${image.digest}\n`);
    }
  }
  return 0;
}

async function importRootfs(args: string[], context: DockerContext): Promise<number> {
  const { names } = split(args, { flags: [], values: ['--message', '-m'] });
  const [file, reference, more] = names;
  if (file === undefined || more !== undefined) throw usageFailure('docker import takes a file, URL or -, and a name');
  const { importImage } = await import('#image/import.ts');
  const made = await withProgress(context, convert => importImage(toPlace(file), { ...convert, reference }));
  context.invocation.stdout(`${made.digest}\n`);
  return 0;
}

async function images(args: string[], context: DockerContext): Promise<number> {
  const { options, names } = split(args, {
    flags: ['--no-trunc', '--all', '-a', '--quiet', '-q', '--digests'],
    values: ['--format'],
  });
  if (names.length > 1) throw usageFailure('docker images takes one name');
  const wanted = names[0];
  const spelled = wanted === undefined ? undefined : await spell(wanted);
  const { formatBytes } = await import('#image/disk-failure.ts');
  const isWhole = options['--no-trunc'] !== undefined;
  const rows = context.store.list().flatMap(image => {
    const facts = {
      ID: isWhole ? image.digest : shorten(image.digest),
      CreatedAt: image.created.slice(0, 16).replace('T', ' '),
      Size: formatBytes(image.bytes),
      Digest: image.digest,
    };
    // A name without a tag means all of its tags.
    const isWanted = (reference: string) =>
      wanted === undefined || reference === spelled || splitName(reference)[0] === wanted;
    const found = image.references.map(each => each.reference).filter(isWanted);
    if (found.length === 0) return wanted === undefined ? [{ Repository: '<none>', Tag: '<none>', ...facts }] : [];
    return found.map(reference => {
      const [Repository, Tag] = splitName(reference);
      return { Repository, Tag, ...facts };
    });
  });
  const { stdout } = context.invocation;
  const format = options['--format'];
  if (format !== undefined) await printRows(format, rows, stdout);
  else if (options['--quiet'] ?? options['-q']) stdout([...new Set(rows.map(row => `${row.ID}\n`))].join(''));
  else {
    const hasDigests = options['--digests'] !== undefined;
    const cells = rows.map(row => [
      row.Repository,
      row.Tag,
      ...(hasDigests ? [row.Digest] : []),
      row.ID,
      row.CreatedAt,
      row.Size,
    ]);
    stdout(
      formatTable([['REPOSITORY', 'TAG', ...(hasDigests ? ['DIGEST'] : []), 'IMAGE ID', 'CREATED', 'SIZE'], ...cells]),
    );
  }
  return 0;
}

/** `json`, a template for each row, or `table TEMPLATE` with a head (Docker CLI reference, "Format the output"). */
async function printRows(
  format: string,
  rows: Record<string, string>[],
  stdout: (text: string) => void,
): Promise<void> {
  const { formatTemplate } = await import('./go-template.ts');
  const [, isTable, written = ''] = /^(table )?(.*)$/s.exec(format) ?? [];
  const template = (written === 'json' ? '{{json .}}' : written).replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  const lines = rows.map(row => formatTemplate(template, row));
  if (!isTable) stdout(lines.map(line => `${line}\n`).join(''));
  else {
    const head = Object.fromEntries(Object.keys(rows[0] ?? {}).map(name => [name, name.toUpperCase()]));
    stdout(formatTable([formatTemplate(template, head), ...lines].map(line => line.split('\t'))));
  }
}

async function inspect(args: string[], context: DockerContext): Promise<number> {
  const { options, names } = split(args, { flags: [], values: ['--type', '--format', '-f'] });
  if (![undefined, 'image'].includes(options['--type'])) {
    throw usageFailure(`docker inspect: there are images here, and nothing of the type ${options['--type']}`);
  }
  const described = (await findAll(needNames('inspect', names), context)).map(describeImage);
  const format = options['--format'] ?? options['-f'];
  const { stdout } = context.invocation;
  if (format === undefined) stdout(`${JSON.stringify(described, undefined, 4)}\n`);
  else {
    const { formatTemplate } = await import('./go-template.ts');
    const template = format === 'json' ? '{{json .}}' : format;
    for (const each of described) stdout(`${formatTemplate(template, each)}\n`);
  }
  return 0;
}

async function remove(args: string[], context: DockerContext): Promise<number> {
  const { names } = split(args, { flags: ['--force', '-f'], values: [] });
  const { removeImage } = await import('#image/housekeeping.ts');
  for (const image of await findAll(needNames('rmi', names), context)) {
    for (const digest of removeImage(context.store, image).images) context.invocation.stdout(`Deleted: ${digest}\n`);
  }
  return 0;
}

async function showVersion(args: string[], { invocation }: DockerContext): Promise<number> {
  const { options } = split(args, { flags: [], values: ['--format', '-f'] });
  const format = options['--format'] ?? options['-f'];
  if (format === undefined) invocation.stdout(`CWL on Clusters version ${version}, in the words of Docker\n`);
  else {
    const { formatTemplate } = await import('./go-template.ts');
    const about = { Version: version, Os: 'linux', Arch: process.arch === 'x64' ? 'amd64' : process.arch };
    // One program is both.
    const data = { Client: about, Server: about };
    invocation.stdout(`${formatTemplate(format === 'json' ? '{{json .}}' : format, data)}\n`);
  }
  return 0;
}

function shorten(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

async function findAll(names: readonly string[], { store }: DockerContext): Promise<StoredImage[]> {
  return Promise.all(
    names.map(async name => {
      const found = store.find(await spell(name)) ?? store.find(name);
      if (found) return found;
      throw new Failure('image/not-in-store', `No such image: ${name}`, { hint: '`docker images` shows what is.' });
    }),
  );
}

async function spell(name: string): Promise<string> {
  const { spellReference } = await import('#registry/reference.ts');
  return spellReference(name);
}

/** A path, a URL, or `-` for the standard input. */
function toPlace(place: string): string {
  return place === '-' || /^https?:\/\//.test(place) ? place : resolve(place);
}

async function withProgress<T>(context: DockerContext, make: (convert: ConvertOptions) => Promise<T>): Promise<T> {
  const { store, invocation } = context;
  const printer = makeProgressPrinter(invocation.stderr);
  try {
    return await make({ store, signal: invocation.signal, onProgress: printer.show });
  } finally {
    printer.end();
  }
}

/** Options before and between the names; throws a Failure `helper/usage` for an unknown one. */
function split(
  args: readonly string[],
  known: { flags: string[]; values: string[] },
): { options: Record<string, string>; names: string[] } {
  const options: Record<string, string> = {};
  const names: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at] as string;
    const [, option = word, inline] = /^(--?[a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (word === '-' || !word.startsWith('-')) names.push(word);
    else if (known.flags.includes(option)) options[option] = inline ?? 'true';
    else if (known.values.includes(option)) {
      const value = inline ?? args[++at];
      if (value === undefined) throw usageFailure(`docker: ${option} needs a value`);
      options[option] = value;
    } else throw usageFailure(`docker: ${option} is not known here`);
  }
  return { options, names };
}

function needNames(command: string, names: string[]): string[] {
  if (names.length === 0) throw usageFailure(`docker ${command}: which image?`);
  return names;
}
