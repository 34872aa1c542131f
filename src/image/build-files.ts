import { lstatSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Failure } from '#base/failure.ts';
import { parseDigest } from '#registry/digest.ts';
import { downloadFile, isTar, unpackTar } from './build-add.ts';
import { expand } from './build-config.ts';
import { type BuildContext, digestSources, type Source } from './build-context.ts';
import { copyInto, writeInto } from './build-copy.ts';
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
    const urls = keyword === 'ADD' ? words.filter(isUrl) : [];
    const rest = words.filter(word => !isHeredoc(word) && !urls.includes(word));
    if (words.some(word => keyword === 'ADD' && isRepository(word))) {
      throw new Failure('image/unsupported', 'ADD of a git repository is not offered here', {
        hint: 'Clone it in a RUN.',
      });
    }
    // Without anything to copy none is needed.
    const { context, digest: stageDigest } = rest.length > 0 ? await options.findContext(flags.from) : {};
    const fetched: Source[] = [];
    for (const [index, url] of urls.entries()) {
      const path = fromText(
        await downloadFile(url, join(temporary, `url-${index}`), { ...flags, signal: options.signal }),
      );
      fetched.push({ name: path.split('/').pop() as string, place: path, entries: [], stat: lstatSync(toBytes(path)) });
    }
    const find = async () => (await Promise.all(rest.map(word => context?.find(word) ?? []))).flat();
    // The files of a stage need not be on the disk for this.
    const found = stageDigest === undefined ? await find() : undefined;
    const facts = [
      keyword,
      words,
      target,
      flags,
      texts,
      digestSources(fetched),
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
      if (sources.length + fetched.length + texts.length === 0) {
        throw new Failure('image/no-such-source', `nothing matches ${rest.join(' ')}`, {
          hint: 'It may be left out by .dockerignore.',
        });
      }
      const all = [
        ...fetched,
        ...(keyword === 'ADD' ? await unpackArchives(sources, temporary, options.signal) : sources),
      ];
      const isMany = isFolder || all.length > 1 || texts.length > 1;
      // Its archives are unpacked into a folder.
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
  chmod?: number;
  checksum?: string;
}

function readFlags({ keyword, flags }: Instruction, stage: BuildStage): CopyFlags {
  const found: CopyFlags = {};
  for (const { name, value } of flags) {
    const text = expand(value, stage.state);
    if (name === 'from' && keyword === 'COPY') found.from = text;
    else if (name === 'chown') found.chown = text;
    else if (name === 'chmod') found.chmod = parseMode(text);
    else if (name === 'checksum' && keyword === 'ADD') {
      if (!parseDigest(text)) throw new Failure('image/invalid-dockerfile', `${text} is no sha256 digest`);
      found.checksum = text;
    }
    // Each COPY is a layer of its own here; what --link asks for makes no difference to the files.
    else if (name !== 'link') throw new Failure('image/unsupported', `${keyword} --${name} is not offered here`);
  }
  return found;
}

function parseMode(text: string): number {
  if (/^0?[0-7]{3,4}$/.test(text)) return Number.parseInt(text, 8) & 0o1777;
  throw new Failure('image/invalid-dockerfile', `--chmod=${text}: a mode is three or four digits from 0 to 7`);
}

/** Archives give way to folders with what is in them. */
async function unpackArchives(sources: readonly Source[], temporary: string, signal: AbortSignal): Promise<Source[]> {
  const all: Source[] = [];
  for (const [index, source] of sources.entries()) {
    if (!source.stat.isFile() || !(await isTar(source.place))) {
      all.push(source);
      continue;
    }
    const folder = join(temporary, `tar-${index}`);
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

function isRepository(word: string): boolean {
  return /^git@|^git:\/\/|^ssh:\/\/|^https?:\/\/.*\.git(#|$)/.test(word);
}
