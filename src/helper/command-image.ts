import { resolve } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { Log } from '#base/log.ts';
import type { ConvertOptions } from '#image/convert.ts';
import type { Freed } from '#image/housekeeping.ts';
import type { Image } from '#image/image.ts';
import type { StoredImage } from '#image/image-record.ts';
import type { Store } from '#image/store.ts';
import type { Platform } from '#registry/platform.ts';
import { type HelperCommand, type Invocation, usageFailure } from './command-line.ts';
import { findHome } from './home.ts';
import { type ImageArguments, parseImageArguments } from './image-options.ts';
import { makeProgressPrinter } from './progress-line.ts';
import { formatTable } from './table.ts';

/**
 * `image build|pull|load|import|list|inspect|remove|prune|share|form`: the images of a store. The room behind it is loaded when it is
 * needed.
 */
export const image: HelperCommand = async invocation => {
  const [name = '', ...rest] = invocation.args;
  if (name === 'build') return (await import('./image-build.ts')).buildFromCommandLine(rest, invocation);
  const action = actions[name];
  if (!action)
    throw usageFailure(`image has no ${name || 'empty command'}`, `It has build, ${Object.keys(actions).join(', ')}.`);
  const options = parseImageArguments(name, rest);
  const { openImageStore } = await import('./image-store.ts');
  const store = openImageStore(options.imageStore ?? findHome().images);
  return action({ options, store, invocation });
};

interface Call {
  options: ImageArguments;
  store: Store;
  invocation: Invocation;
}

const actions: Record<string, (call: Call) => Promise<number>> = {
  pull,
  load,
  import: importRootfs,
  list,
  inspect,
  remove,
  prune,
  share,
  form: chooseForm,
};

async function pull(call: Call): Promise<number> {
  const { pullImage } = await import('#image/pull.ts');
  const { mirrors } = call.options;
  const platform = await readPlatform(call);
  return makeImages(call, (name, context) => pullImage(name, { ...context, mirrors, platform, policy: 'always' }));
}

async function load(call: Call): Promise<number> {
  const { loadImage } = await import('#image/load.ts');
  const platform = await readPlatform(call);
  const reference = call.options.name;
  return makeImages(call, (path, context) => loadImage(toPlace(path), { ...context, platform, reference }));
}

async function importRootfs(call: Call): Promise<number> {
  const { importImage } = await import('#image/import.ts');
  const reference = call.options.name;
  return makeImages(call, (path, context) => importImage(toPlace(path), { ...context, reference }));
}

/** One image after the other; the first that fails ends it. */
async function makeImages(
  { options, store, invocation }: Call,
  make: (name: string, context: ConvertOptions) => Promise<Image>,
): Promise<number> {
  if (options.names.length === 0) throw usageFailure('image: which one?');
  const printer = makeProgressPrinter(invocation.stderr);
  const say = (text: string) => {
    printer.end();
    invocation.stderr(`${text}\n`);
  };
  const log: Log = { debug() {}, info: say, warn: say };
  const images: Image[] = [];
  for (const name of options.names) {
    try {
      images.push(await make(name, { store, log, signal: invocation.signal, onProgress: printer.show }));
    } catch (error) {
      if (invocation.signal.aborted) throw new Failure('image/interrupted', 'interrupted: nothing half-made was left');
      throw error;
    } finally {
      printer.end();
    }
  }
  if (options.isJson) invocation.stdout(toJson(images));
  else for (const made of images) invocation.stdout(`${made.reference} ${made.digest}\n${made.rootfs}\n`);
  return 0;
}

async function list({ options, store, invocation }: Call): Promise<number> {
  const images = store.list();
  if (options.isJson) {
    invocation.stdout(toJson(images));
    return 0;
  }
  const { formatBytes } = await import('#image/disk-failure.ts');
  const rows = images.flatMap(each => {
    const { digest, bytes, layerBytes, entries, created, references } = each;
    const facts = [formatBytes(bytes), formatBytes(layerBytes), `${entries}`, created.slice(0, 16).replace('T', ' ')];
    const names = references.map(({ reference, platform }) => [reference, platform]);
    if (names.length === 0) names.push(['(no name)', '']);
    return names.map(name => [...name, digest.slice('sha256:'.length, 'sha256:'.length + 12), ...facts]);
  });
  invocation.stdout(formatTable([['IMAGE', 'PLATFORM', 'DIGEST', 'SIZE', 'LAYERS', 'FILES', 'MADE'], ...rows]));
  return 0;
}

async function inspect({ options, store, invocation }: Call): Promise<number> {
  const found = await findAll(store, options.names);
  invocation.stdout(toJson(found));
  return 0;
}

async function remove({ options, store, invocation }: Call): Promise<number> {
  const [found, { removeImage }] = await Promise.all([findAll(store, options.names), import('#image/housekeeping.ts')]);
  for (const each of found) await report(removeImage(store, each), options, invocation);
  return 0;
}

async function prune({ options, store, invocation }: Call): Promise<number> {
  if (options.names.length > 0) throw usageFailure('image prune takes no names; image remove does');
  const { pruneStore } = await import('#image/housekeeping.ts');
  await report(pruneStore(store, options.isAll), options, invocation);
  return 0;
}

async function share({ options, store, invocation }: Call): Promise<number> {
  if (options.names.length > 0) throw usageFailure('image share takes no names; --image-store names the store');
  const { shareStore } = await import('#image/group-access.ts');
  shareStore(store.folder);
  invocation.stdout(`${store.folder} is shared with its group\n`);
  return 0;
}

async function chooseForm({ options, store, invocation }: Call): Promise<number> {
  const { imageForms, readForm, saveForm } = await import('#image/form.ts');
  const [name, ...rest] = options.names;
  const wanted = imageForms.find(each => each === name);
  if (rest.length > 0 || (name !== undefined && !wanted))
    throw usageFailure(`image form takes one of ${imageForms.join(', ')}`);
  if (wanted) saveForm(store, wanted);
  invocation.stdout(`${readForm(store.folder)}\n`);
  return 0;
}

async function report(freed: Freed, options: ImageArguments, invocation: Invocation): Promise<void> {
  if (options.isJson) {
    invocation.stdout(toJson(freed));
    return;
  }
  const { formatBytes } = await import('#image/disk-failure.ts');
  for (const digest of freed.images) invocation.stdout(`removed ${digest}\n`);
  invocation.stdout(
    `${freed.images.length} images and ${freed.layers} layers removed, ${formatBytes(freed.bytes)} freed\n`,
  );
}

async function findAll(store: Store, names: readonly string[]): Promise<StoredImage[]> {
  if (names.length === 0) throw usageFailure('image: which one?');
  const [{ spellReference }, { findHostPlatform, formatPlatform }] = await Promise.all([
    import('#registry/reference.ts'),
    import('#registry/platform.ts'),
  ]);
  const host = formatPlatform(findHostPlatform());
  return names.map(name => {
    for (const spelling of [spellReference(name), name, toPlace(name)]) {
      const found = store.find(spelling, host) ?? store.find(spelling);
      if (found) return found;
    }
    throw new Failure('image/not-in-store', `${name} is not in ${store.folder}`, {
      hint: '`image list` shows what is.',
    });
  });
}

async function readPlatform({ options }: Call): Promise<Platform | undefined> {
  if (options.platform === undefined) return undefined;
  const { parsePlatform } = await import('#registry/platform.ts');
  return parsePlatform(options.platform);
}

function toPlace(path: string): string {
  return path === '-' || /^https?:\/\//.test(path) ? path : resolve(path);
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
