import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { Log, Progress } from '#base/log.ts';
import { toLocalPath } from '#cwl/uri.ts';
import { buildImage } from '#image/build.ts';
import { loadIgnoreFile } from '#image/build-context.ts';
import { cloneRepository, isRepository, parseRepository } from '#image/build-git.ts';
import { findProxies } from '#image/build-run.ts';
import type { Image } from '#image/image.ts';
import { removeTree } from '#image/remove-tree.ts';
import type { Store } from '#image/store.ts';
import { digestOf } from '#registry/digest.ts';
import { parsePlatform } from '#registry/platform.ts';
import type { DockerRequirement } from '#runner/options.ts';
import { type BuildArguments, parseBuildArguments } from './build-options.ts';
import { makeBuildSandbox } from './build-sandbox.ts';
import type { Invocation } from './command-line.ts';
import { findHome } from './home.ts';
import { openImageStore } from './image-store.ts';

/** What stands before the command of the Docker front. */
export interface BuildPlace {
  store: Store;
  mirrors: Record<string, string>;
  engine: string | undefined;
}

/** `image build` and `docker build`: the image's digest on standard output, all else on standard error. */
export async function buildFromCommandLine(
  args: readonly string[],
  { stdout, stderr, signal }: Invocation,
  place?: BuildPlace,
): Promise<number> {
  const options = parseBuildArguments(args);
  const store = place?.store ?? openImageStore(options.imageStore ?? findHome().images);
  const mirrors = { ...place?.mirrors, ...options.mirrors };
  const say = (text: string) => stderr(`${text}\n`);
  const log: Log = { debug() {}, info: say, warn: say };
  const source = isRepository(options.context)
    ? await cloneContext(options, store, signal)
    : readSources(options, resolve(options.context));
  // What a quiet build said is told when it fails.
  let kept = '';
  try {
    const image = await buildImage({
      ...{ ...options, ...source, context: source.context, store, mirrors, signal, log },
      references: options.names,
      platform: options.platform === undefined ? undefined : parsePlatform(options.platform),
      environment: process.env,
      run: makeBuildSandbox(store, place?.engine ?? options.engine),
      onOutput: options.isQuiet ? text => (kept = (kept + text).slice(-20_000)) : stderr,
    });
    if (options.idFile !== undefined) writeFileSync(options.idFile, image.digest);
    if (options.isQuiet) stdout(`${image.digest}\n`);
    else stdout(`${image.reference === image.digest ? '' : `${image.reference} `}${image.digest}\n${image.rootfs}\n`);
    return 0;
  } catch (error) {
    if (signal.aborted) throw new Failure('image/interrupted', 'interrupted: nothing half-made was left');
    if (kept !== '') stderr(kept);
    throw error;
  } finally {
    source.remove?.();
  }
}

/**
 * The image of a `dockerFile` (CWL v1.2, DockerRequirement): the text of a Dockerfile, with nothing to copy from. It is
 * called `dockerImageId`, or after its text.
 */
export async function buildDockerFile(
  { dockerImageId, place: { uri, range } }: DockerRequirement,
  dockerfile: string,
  options: {
    store: Store;
    mirrors: Record<string, string>;
    policy?: 'missing' | 'always' | 'never';
    signal: AbortSignal;
    onProgress(progress: Progress): void;
    engine?: string;
    onOutput?(text: string): void;
  },
): Promise<Image> {
  const name = `dockerFile of ${basename(toLocalPath(uri) ?? uri)}:${range.start.line + 1}`;
  const reference = dockerImageId ?? `localhost/dockerfile:${digestOf(dockerfile).slice('sha256:'.length, 23)}`;
  return buildImage({
    ...options,
    dockerfile,
    name,
    references: [reference],
    environment: process.env,
    run: makeBuildSandbox(options.store, options.engine),
  });
}

interface Sources {
  dockerfile: string;
  name: string;
  context?: string;
  ignore?: string;
  /** Gives the context back. */
  remove?(): void;
}

/** A repository is fetched for the time of the build. */
async function cloneContext(options: BuildArguments, store: Store, signal: AbortSignal): Promise<Sources> {
  const place = store.temporaries.make('context');
  const remove = () => removeTree(place);
  try {
    const { folder } = await cloneRepository(parseRepository(options.context), place, {
      isGitKept: false,
      agent: options.agents.get('default'),
      environment: findProxies(process.env),
      signal,
    });
    return { ...readSources(options, folder), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function readSources({ file, context }: BuildArguments, folder: string): Sources {
  if (context === '-') return { dockerfile: readInput(), name: 'Dockerfile' };
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Failure('image/no-context', `${folder} is no folder to build from`);
  }
  if (file === '-') {
    return { dockerfile: readInput(), name: 'Dockerfile', context: folder, ignore: loadIgnoreFile(folder, undefined) };
  }
  // In a repository it can only be one of its own files.
  const path = file === undefined ? findDockerfile(folder) : resolve(isRepository(context) ? folder : '.', file);
  let dockerfile: string;
  try {
    dockerfile = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Failure('image/no-dockerfile', `${path} can't be read`, { cause, hint: 'Name it with -f FILE.' });
  }
  return { dockerfile, name: basename(path), context: folder, ignore: loadIgnoreFile(folder, path) };
}

function readInput(): string {
  const bytes = readFileSync(0);
  const isArchive =
    bytes.toString('latin1', 257, 262) === 'ustar' || /^(1f8b|28b52ffd|fd377a)/.test(bytes.toString('hex', 0, 4));
  if (!isArchive) return bytes.toString('utf8');
  throw new Failure('image/no-dockerfile', 'standard input is an archive, not a Dockerfile', {
    hint: 'Unpack it, and build from the folder.',
  });
}

function findDockerfile(folder: string): string {
  const other = join(folder, 'Containerfile');
  const usual = join(folder, 'Dockerfile');
  return statSync(usual, { throwIfNoEntry: false }) || !statSync(other, { throwIfNoEntry: false }) ? usual : other;
}
