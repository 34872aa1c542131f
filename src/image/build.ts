import { Failure } from '#base/failure.ts';
import { findHostPlatform, formatPlatform, type Platform, parsePlatform } from '#registry/platform.ts';
import { spellReference } from '#registry/reference.ts';
import { applyArg, applyMetadata } from './build-config.ts';
import { BuildContext, loadIgnoreFile } from './build-context.ts';
import { makeFolderInside } from './build-copy.ts';
import { copyStep } from './build-files.ts';
import { findGlobals } from './build-globals.ts';
import { BuildLayers } from './build-layer.ts';
import type { Secret } from './build-mounts.ts';
import { findProxies, isProxyName, type RunInRootfs, runStep, usualPath } from './build-run.ts';
import { BuildStage } from './build-stage.ts';
import type { ConvertOptions } from './convert.ts';
import { type Dockerfile, type Instruction, parseDockerfile, parseTrigger, type Stage } from './dockerfile.ts';
import { expandWord } from './dockerfile-words.ts';
import type { Image } from './image.ts';
import { pullImage } from './pull.ts';

export interface BuildOptions extends ConvertOptions {
  /** The text of the Dockerfile, and what to call it in messages. */
  dockerfile: string;
  name?: string;
  /** The folder that COPY takes from; undefined for an empty one. */
  context?: string;
  /** The text of `.dockerignore`. */
  ignore?: string;
  /** Names of the image in the store; without one `image prune` removes it. */
  references?: readonly string[];
  args?: ReadonlyMap<string, string>;
  /** By the id of `--mount=type=secret`. */
  secrets?: ReadonlyMap<string, Secret>;
  /** Sockets of ssh-agents by the id of `--mount=type=ssh`; `default` is lent to git as well. */
  agents?: ReadonlyMap<string, string>;
  /** Folders, or images after `docker-image://`, by the name that FROM and `--from` know them by. */
  contexts?: ReadonlyMap<string, string>;
  /** Labels of the image beside those of the Dockerfile. */
  labels?: Readonly<Record<string, string>>;
  /** Variables of the host that RUN sees if they are for proxies. */
  environment?: Record<string, string | undefined>;
  /** Name or number of the stage to build; the last one by default. */
  target?: string;
  isCached?: boolean;
  platform?: Platform;
  policy?: 'missing' | 'always' | 'never';
  mirrors?: Record<string, string>;
  /** False: no RUN sees the network unless it says so itself. */
  network?: boolean;
  run: RunInRootfs;
  /** The steps, and what they write. */
  onOutput?(text: string): void;
}

/**
 * Builds an image from a Dockerfile (Dockerfile reference) into the store. Any number of builds may go on at once; a
 * failure leaves nothing but the layers of the instructions that were done. Throws a Failure that names the line.
 */
export async function buildImage(options: BuildOptions): Promise<Image> {
  const file = parseDockerfile(options.dockerfile, options.name);
  const build = new Build(file, options);
  try {
    return await build.run();
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    build.end();
  }
}

class Build {
  readonly #file: Dockerfile;
  readonly #options: BuildOptions;
  readonly #name: string;
  readonly #signal: AbortSignal;
  readonly #platform: Platform;
  readonly #globals: Map<string, string>;
  readonly #given: ReadonlyMap<string, string>;
  readonly #stages = new Map<number, BuildStage>();
  readonly #layers: BuildLayers;
  readonly #used = new Set<string>();
  readonly #context: BuildContext | undefined;
  #isChownTold = false;

  constructor(file: Dockerfile, options: BuildOptions) {
    this.#file = file;
    this.#options = options;
    this.#name = options.name ?? 'Dockerfile';
    this.#signal = options.signal ?? new AbortController().signal;
    this.#platform = options.platform ?? findHostPlatform();
    this.#given = options.args ?? new Map();
    this.#globals = findGlobals(file, this.#given, this.#platform);
    this.#layers = new BuildLayers(options.store);
    if (options.context !== undefined) this.#context = new BuildContext(options.context, options.ignore, this.#signal);
  }

  async run(): Promise<Image> {
    const { store, target, references = [], log } = this.#options;
    store.temporaries.clean(kind => kind.startsWith('blob-'));
    const index =
      target === undefined ? this.#file.stages.length - 1 : this.#findStage(target, this.#file.stages.length);
    if (index === undefined) {
      const names = this.#file.stages.map((stage, i) => stage.name ?? `${i}`).join(', ');
      throw new Failure('image/no-such-stage', `${this.#name} has no stage ${target}`, {
        hint: `Its stages are: ${names}.`,
      });
    }
    const stage = await this.#build(index);
    const { labels = {} } = this.#options;
    const { config } = stage.state;
    if (Object.keys(labels).length > 0) stage.state.config = { ...config, labels: { ...config.labels, ...labels } };
    const unused = [...this.#given.keys()].filter(name => !this.#used.has(name) && !isProxyName(name));
    if (unused.length > 0) log?.warn(`no ARG takes the build argument ${unused.join(', ')}`);
    const names = references.map(spellReference);
    const image = await stage.publish(names[0]);
    for (const name of names) store.references.save(name, formatPlatform(this.#platform), image.digest);
    return image;
  }

  end(): void {
    for (const stage of this.#stages.values()) stage.end();
  }

  async #build(index: number): Promise<BuildStage> {
    const known = this.#stages.get(index);
    if (known) return known;
    const plan = this.#file.stages[index] as Stage;
    const stage = await this.#at(plan.from, () => this.#begin(plan, index));
    this.#stages.set(index, stage);
    const triggers = (stage.state.config.onBuild ?? []).map(text => ({
      ...parseTrigger(text, this.#name),
      line: plan.from.line,
    }));
    if (triggers.length > 0) {
      const { onBuild: _, ...config } = stage.state.config;
      stage.state.config = config;
    }
    for (const instruction of [...triggers, ...plan.instructions]) {
      await this.#at(instruction, () => this.#step(instruction, stage, index));
    }
    return stage;
  }

  async #begin(plan: Stage, index: number): Promise<BuildStage> {
    const expandGlobal = (text: string) =>
      expandWord(text, { lookup: name => this.#globals.get(name), escapeMark: this.#file.escapeMark });
    const base = expandGlobal(plan.base);
    if (base === '') throw new Failure('image/invalid-dockerfile', `${plan.base} is empty`);
    let platform = this.#platform;
    for (const { name, value } of plan.from.flags) {
      if (name !== 'platform') throw new Failure('image/unsupported', `FROM --${name} is not offered here`);
      platform = parsePlatform(expandGlobal(value));
    }
    this.#say(plan.from, `FROM ${base}`, false);
    const { store } = this.#options;
    const context = { store, layers: this.#layers, isCached: this.#options.isCached ?? true, signal: this.#signal };
    const empty = { env: { PATH: usualPath }, entrypoint: [], command: [], architecture: platform.architecture };
    const from = await this.#findBase(base, index, platform);
    const config = from instanceof BuildStage ? from.state.config : (from?.config ?? empty);
    return new BuildStage(context, from, {
      config,
      args: new Map(),
      escapeMark: this.#file.escapeMark,
      hasCommand: false,
    });
  }

  async #findBase(base: string, index: number, platform: Platform): Promise<BuildStage | Image | undefined> {
    const given = this.#options.contexts?.get(base);
    if (given !== undefined) {
      const name = findImageName(given);
      if (name !== undefined) return this.#pull(name, platform);
      throw new Failure('image/unsupported', `FROM ${base}: a folder is given as that context, which is no image`, {
        hint: `Give an image, --build-context ${base}=docker-image://NAME, or copy from it with COPY --from=${base}.`,
      });
    }
    const earlier = this.#findStage(base, index, false);
    if (earlier !== undefined) return this.#build(earlier);
    return base === 'scratch' ? undefined : this.#pull(base, platform);
  }

  async #step(instruction: Instruction, stage: BuildStage, index: number): Promise<void> {
    const { keyword, text } = instruction;
    const { state } = stage;
    this.#signal.throwIfAborted();
    const { store } = this.#options;
    const { run, secrets = new Map(), agents = new Map(), environment = {}, network = true } = this.#options;
    const shared = {
      store,
      proxies: findProxies({ ...environment, ...Object.fromEntries(this.#given) }),
      findContext: (from: string | undefined) => this.#findContext(from, index),
      onChown: () => this.#tellChown(),
      signal: this.#signal,
    };
    this.#say(instruction, `${keyword} ${text}`);
    if (keyword === 'RUN') {
      const onOutput = (output: string) => this.#options.onOutput?.(output);
      this.#tell(
        await runStep(instruction, stage, { ...shared, run, network, secrets, agents, environment, onOutput }),
      );
    } else if (keyword === 'COPY' || keyword === 'ADD') {
      this.#tell(await copyStep(instruction, stage, { ...shared, agent: agents.get('default') }));
    } else if (keyword === 'ARG') {
      for (const name of this.#given.keys()) if (new RegExp(`(^|\\s)${name}(=|\\s|$)`).test(text)) this.#used.add(name);
      applyArg(instruction, state, this.#given, this.#globals);
    } else {
      if (instruction.flags.length > 0 && keyword !== 'HEALTHCHECK') {
        // ONBUILD's flags are those of its trigger, which are in its text.
        throw new Failure('image/invalid-dockerfile', `${keyword} has no option --${instruction.flags[0]?.name}`);
      }
      stage.state.config = applyMetadata(instruction, state);
      if (keyword === 'CMD') stage.state.hasCommand = true;
      stage.note(stage.state.config);
      const folder = stage.state.config.workingDirectory ?? '/';
      if (keyword === 'WORKDIR')
        this.#tell(await stage.change(['WORKDIR', folder], root => makeFolderInside(root, folder)));
    }
  }

  /** A stage by its name or number, before `limit`. */
  #findStage(name: string, limit: number, byNumber = true): number | undefined {
    const stages = this.#file.stages.slice(0, limit);
    const named = stages.findLastIndex(stage => stage.name === name.toLowerCase());
    if (named >= 0) return named;
    return byNumber && /^\d+$/.test(name) && Number(name) < limit ? Number(name) : undefined;
  }

  async #findContext(from: string | undefined, index: number): Promise<{ context: BuildContext; digest?: string }> {
    if (from === undefined) {
      if (this.#context) return { context: this.#context };
      throw new Failure('image/no-context', 'there is no build context to copy from', {
        hint: 'A Dockerfile of CWL, or from standard input, stands alone: use ADD with a URL, or a text: COPY <<EOF.',
      });
    }
    const given = this.#options.contexts?.get(from);
    const isFolder = given !== undefined && findImageName(given) === undefined;
    if (isFolder) return { context: new BuildContext(given, loadIgnoreFile(given, undefined), this.#signal) };
    const earlier = given === undefined ? this.#findStage(from, index) : undefined;
    if (earlier === undefined) {
      const image = await this.#pull((given && findImageName(given)) ?? from, this.#platform);
      return { context: new BuildContext(image.rootfs, undefined, this.#signal), digest: image.digest };
    }
    const stage = await this.#build(earlier);
    return { context: new LazyContext(() => stage.materialise(), this.#signal), digest: stage.digest };
  }

  #pull(name: string, platform: Platform): Promise<Image> {
    const { store, mirrors, policy, onProgress } = this.#options;
    return pullImage(name, { store, mirrors, policy, platform, onProgress, signal: this.#signal });
  }

  /** Adds the place to what went wrong. */
  async #at<T>({ line, keyword }: Instruction, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Failure) || error.message.startsWith(`${this.#name}:`)) throw error;
      const what = error.message.startsWith(keyword) ? error.message : `${keyword}: ${error.message}`;
      throw new Failure(error.code, `${this.#name}:${line}: ${what}`, { hint: error.hint, cause: error.cause });
    }
  }

  #say({ line }: Instruction, text: string, isOwn = true): void {
    this.#options.onOutput?.(`${this.#name}:${line}: ${text}\n`);
    if (isOwn) this.#options.onProgress?.({ what: `building ${this.#name}, line`, done: line, unit: 'steps' });
  }

  #tell(isKnown: boolean): void {
    if (isKnown) this.#options.onOutput?.('  as built before\n');
  }

  #tellChown(): void {
    if (!this.#isChownTold) this.#options.log?.info('all files belong to you: --chown changes no owner without root');
    this.#isChownTold = true;
  }
}

/** The image that a context of `--build-context` is; undefined for a folder. */
function findImageName(context: string): string | undefined {
  return /^docker-image:\/\/(.+)$/.exec(context)?.[1];
}

/** The files of a stage, put on the disk when the first is asked for. */
class LazyContext extends BuildContext {
  readonly #open: () => Promise<string>;
  readonly #signal: AbortSignal;

  constructor(open: () => Promise<string>, signal: AbortSignal) {
    super('');
    this.#open = open;
    this.#signal = signal;
  }

  override async find(...what: Parameters<BuildContext['find']>): ReturnType<BuildContext['find']> {
    return new BuildContext(await this.#open(), undefined, this.#signal).find(...what);
  }
}
