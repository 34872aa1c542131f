import { lstatSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Failure } from '#base/failure.ts';
import { parseDigest } from '#registry/digest.ts';
import { downloadFile, isTar, unpackTar } from './build-add.ts';
import { expand } from './build-config.ts';
import { BuildContext, digestSources, type Source } from './build-context.ts';
import { copyInto, writeInto } from './build-copy.ts';
import { cloneRepository, isRepository, parseRepository } from './build-git.ts';
import { type ModeChange, parseModeChange } from './build-mode.ts';
import type { BuildStage } from './build-stage.ts';
import { type Instruction, parseExecForm } from './dockerfile.ts';
import { removeTree } from './remove-tree.ts';
import { findUser } from './rootfs-path.ts';
import type { Store } from './store.ts';
import { fromText, toBytes, walkTree } from './tree.ts';

export interface CopyStepOptions {
  store: Store;
  findContext(from: string | undefined): Promise<{ context: BuildContext; digest?: string }>;
  signal: AbortSignal;
  /** The socket of the ssh-agent that is lent to the build as `default`. */
  agent?: string;
  /** Variables for proxies. */
  proxies: Record<string, string>;
  /** Told once for owners that no unprivileged user can give. */
  onChown(): void;
}

/** COPY and ADD. Returns whether an earlier build did it already. */
export async function copyStep(
  instruction: Instruction,
  stage: BuildStage,
  options: CopyStepOptions,
): Promise<boolean> {
  const { keyword, text, heredocs } = instruction;
  const words = (parseExecForm(text) ?? text.split(/\s+/)).map(word =>
    isHeredoc(word) ? word : expand(word, stage.state),
  );
  const flags = readFlags(instruction, stage);
  const destination = words.pop();
  if (destination === undefined || words.length === 0) {
    throw new Failure('image/invalid-dockerfile', `${keyword} needs a source and a destination`);
  }
  const isFolder = words.length > 1;
  if (isFolder && !/(^|\/)\.{0,2}$/.test(destination)) {
    throw new Failure('image/invalid-dockerfile', `${keyword} has several sources: ${destination} must end with /`);
  }
  const target = toAbsolute(destination, stage.state.config.workingDirectory);
  const temporary = options.store.temporaries.make('add');
  try {
    const texts = heredocs.map(each => ({
      name: each.name,
      text: each.isExpanded ? expand(each.text, stage.state, true) : each.text,
    }));
    const isRemote = (word: string) => keyword === 'ADD' && (isUrl(word) || isRepository(word));
    const remote = words.filter(isRemote);
    const rest = words.filter(word => !isHeredoc(word) && !isRemote(word));
    // Without anything to copy none is needed.
    const { context, digest: stageDigest } = rest.length > 0 ? await options.findContext(flags.from) : {};
    const fetched = await fetchAll(remote, temporary, flags, options);
    const find = async () => (await Promise.all(rest.map(word => context?.find(word, flags) ?? []))).flat();
    // The files of a stage need not be on the disk for this.
    const found = stageDigest === undefined ? await find() : undefined;
    const facts = [
      keyword,
      words,
      target,
      flags.facts,
      texts,
      fetched.map(each => each.commit ?? digestSources([each.source])),
      stageDigest ?? digestSources(found ?? []),
    ];
    return await stage.change(facts, async root => {
      if (flags.chown !== undefined) {
        if (!findUser(fromText(root), flags.chown)) {
          throw new Failure('image/no-such-user', `the image has no user ${flags.chown}`);
        }
        options.onChown();
      }
      const sources = found ?? (await find());
      if (sources.length + fetched.length + texts.length === 0 && flags.excludes.length === 0) {
        throw new Failure('image/no-such-source', `nothing matches ${rest.join(' ')}`, {
          hint: 'It may be left out by .dockerignore.',
        });
      }
      const unpack = flags.isUnpacking ?? keyword === 'ADD';
      const downloads = fetched.map(each => each.source);
      const all = [
        ...(flags.isUnpacking ? await unpackArchives(downloads, join(temporary, 'url'), options.signal) : downloads),
        ...(unpack ? await unpackArchives(sources, join(temporary, 'tar'), options.signal) : sources),
      ];
      const isMany = isFolder || all.length > 1 || texts.length > 1;
      copyInto(root, all, { destination: target, mode: flags.chmod, isFolder: isMany, signal: options.signal });
      for (const each of texts) {
        const place = isMany || target.endsWith('/') ? `${target}/${each.name}` : target;
        writeInto(root, place, each.text, flags.chmod);
      }
    });
  } finally {
    removeTree(temporary);
  }
}

interface CopyFlags {
  from?: string;
  chown?: string;
  chmod?: ModeChange;
  checksum?: string;
  excludes: string[];
  isParents: boolean;
  isGitKept: boolean;
  /** What ADD does with archives, where it says so. */
  isUnpacking?: boolean;
  /** All of them, as they are written, but for what makes no difference. */
  facts: [name: string, value: string][];
}

const ofBoth = ['chown', 'chmod', 'exclude', 'link'];
const ofEach: Record<string, string[]> = {
  COPY: [...ofBoth, 'from', 'parents'],
  ADD: [...ofBoth, 'checksum', 'keep-git-dir', 'unpack'],
};

function readFlags({ keyword, flags }: Instruction, stage: BuildStage): CopyFlags {
  const found: CopyFlags = { excludes: [], isParents: false, isGitKept: false, facts: [] };
  for (const { name, value } of flags) {
    const text = expand(value, stage.state);
    const known = ofEach[keyword] ?? [];
    if (!known.includes(name)) {
      throw new Failure('image/invalid-dockerfile', `${keyword} has no option --${name}`, {
        hint: `It has ${known.map(each => `--${each}`).join(', ')}.`,
      });
    }
    // Each COPY is a layer of its own here; what --link asks for makes no difference to the files.
    if (name === 'link') continue;
    found.facts.push([name, text]);
    if (name === 'from') found.from = text;
    else if (name === 'chown') found.chown = text;
    else if (name === 'chmod') found.chmod = parseModeChange(text);
    else if (name === 'exclude') found.excludes.push(text);
    else if (name === 'checksum') found.checksum = text;
    else if (name === 'parents') found.isParents = parseSwitch(name, text);
    else if (name === 'keep-git-dir') found.isGitKept = parseSwitch(name, text);
    else found.isUnpacking = parseSwitch(name, text);
  }
  return found;
}

function parseSwitch(name: string, text: string): boolean {
  if (['true', '1'].includes(text)) return true;
  if (['false', '0'].includes(text)) return false;
  throw new Failure('image/invalid-dockerfile', `--${name}=${text} is neither true nor false`);
}

interface Fetched {
  source: Source;
  /** Of a repository whose `.git` stays: that is never twice the same. */
  commit?: string;
}

/** Brings what is elsewhere to this disk, one after the other. */
async function fetchAll(
  words: readonly string[],
  temporary: string,
  flags: CopyFlags,
  { agent, proxies, signal }: CopyStepOptions,
): Promise<Fetched[]> {
  const all: Fetched[] = [];
  for (const [index, word] of words.entries()) {
    const place = join(temporary, `fetched-${index}`);
    const { checksum, isGitKept } = flags;
    if (isRepository(word)) {
      const repository = parseRepository(word);
      if (isGitKept && repository.folder !== undefined) {
        throw new Failure('image/invalid-dockerfile', `--keep-git-dir: the folder ${repository.folder} has no .git`);
      }
      if (checksum !== undefined && !/^[0-9a-f]{1,64}$/.test(checksum)) {
        throw new Failure('image/invalid-dockerfile', `--checksum=${checksum} is not the beginning of a commit`);
      }
      const { folder, commit } = await cloneRepository(repository, place, {
        ...{ isGitKept, checksum, agent, environment: proxies, signal },
      });
      const context = new BuildContext(folder, undefined, signal);
      const [source] = await context.find('.', flags);
      all.push({ source: source as Source, ...(isGitKept && { commit }) });
      continue;
    }
    if (checksum !== undefined && !parseDigest(checksum)) {
      throw new Failure('image/invalid-dockerfile', `${checksum} is no sha256 digest`);
    }
    const path = fromText(await downloadFile(word, place, { checksum, signal }));
    const source = { name: path.split('/').pop() as string, place: path, entries: [], stat: lstatSync(toBytes(path)) };
    all.push({ source });
  }
  return all;
}

/** Archives give way to folders with what is in them. */
async function unpackArchives(sources: readonly Source[], temporary: string, signal: AbortSignal): Promise<Source[]> {
  const all: Source[] = [];
  for (const [index, source] of sources.entries()) {
    if (!source.stat.isFile() || !(await isTar(source.place))) {
      all.push(source);
      continue;
    }
    const folder = `${temporary}-${index}`;
    await unpackTar(source.place, folder, signal);
    const place = fromText(folder);
    const entries: Source['entries'] = [];
    for await (const entry of walkTree(place, { signal })) entries.push(entry);
    all.push({ name: '', place, entries, stat: lstatSync(folder) });
  }
  return all;
}

/** The `/` at the end stays: it says that a folder is meant. */
function toAbsolute(path: string, workingDirectory = '/'): string {
  const absolute = path.startsWith('/') ? path : `${workingDirectory}/${path}`;
  return /(^|\/)\.{0,2}$/.test(path) ? `${posix.normalize(absolute).replace(/\/$/, '')}/` : absolute;
}

function isHeredoc(word: string): boolean {
  return word.startsWith('<<');
}

function isUrl(word: string): boolean {
  return /^https?:\/\//.test(word) && !isRepository(word);
}
