import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { Progress } from '#base/log.ts';
import { parseDigest } from '#registry/digest.ts';
import type { Descriptor, ImageConfig } from '#registry/manifest.ts';
import { toDiskFailure } from './disk-failure.ts';
import { letGroupRead, sharedMark, shareFolder } from './group-access.ts';
import type { Image } from './image.ts';
import { LocalDisk } from './local-disk.ts';
import { makeFolder } from './make-folder.ts';
import { packRootfs } from './pack.ts';
import { removeTree } from './remove-tree.ts';
import { Temporaries } from './temporaries.ts';

/** What is kept of an image beside its rootfs, in `image.json`. */
export interface ImageRecord {
  digest: string;
  config: ImageConfig;
  minimumKernel?: string;
  /** Digests of its layers as they travel, lowest first; empty for images that came from no registry. */
  layers: string[];
  /** Bytes and number of the files in the rootfs. */
  bytes: number;
  entries: number;
  /** What the rootfs lacks of the image, one line each. */
  notices: string[];
  /** ISO 8601. */
  created: string;
}

/** A name of an image in the store. */
export interface StoredReference {
  reference: string;
  platform: string;
  digest: string;
  /** ISO 8601: when it was last asked for at its source. */
  time: string;
}

/** What an image takes, and its names; several images may share layers. */
export interface StoredImage extends ImageRecord {
  rootfs: string;
  references: StoredReference[];
  /** Bytes of its layers that are still kept for other images. */
  layerBytes: number;
}

/** What `remove` and `prune` gave back. */
export interface Freed {
  images: string[];
  layers: number;
  bytes: number;
}

/** What is told and asked while a rootfs is unpacked. */
interface OpenOptions {
  signal?: AbortSignal;
  onProgress?(progress: Progress): void;
}

/** In the folder of an image in place of `root/`. */
const archiveName = 'root.tar.zst';

// A change in how rootfs are made begins a new folder.
const format = 'v1';

/** Where rootfs are kept. */
export interface StoreForm {
  /** For rootfs whose images are kept as archives: a folder of a disk of this node. */
  localDisk: string;
  /** Whether new images are kept as archives: the many small files of a rootfs are slow on a parallel file system. */
  isPacking: boolean;
}

/** How a store keeps images: as files, as archives that each node unpacks, or what fits its file system. */
export const imageForms = ['auto', 'files', 'archive'] as const;
export type ImageForm = (typeof imageForms)[number];

/** What the store in this folder was set to. */
export function readForm(folder: string): ImageForm {
  const { form } = readJson<{ form: ImageForm }>(join(folder, 'form.json')) ?? {};
  return form !== undefined && imageForms.includes(form) ? form : 'auto';
}

/** A rootfs under construction. */
export interface Draft {
  /** A folder of the store's temporaries. */
  folder: string;
  /** Not there yet. */
  root: string;
}

/**
 * Opens the image store in `folder`, and makes it if need be. Throws a Failure where it can't be written. By default new
 * images are kept as files.
 */
export function openStore(folder: string, form: Partial<StoreForm> = {}): Store {
  const localDisk = form.localDisk ?? join(tmpdir(), `cwl-on-clusters-${process.getuid?.()}`);
  return new Store(resolve(folder), { localDisk, isPacking: form.isPacking === true });
}

/**
 * Blobs by digest, root file systems by the digest of their image, and names of images as one small file each. All are
 * made under a temporary name and published by rename, so any number of processes on any number of nodes can use it at
 * once, without locks. Nothing in it names its own place: it can be moved.
 */
export class Store {
  readonly folder: string;
  readonly temporaries: Temporaries;
  readonly #blobs: string;
  readonly #images: string;
  readonly #references: string;
  readonly #localDisk: LocalDisk;
  readonly #isPacking: boolean;

  constructor(folder: string, { localDisk, isPacking }: StoreForm) {
    this.folder = folder;
    this.#localDisk = new LocalDisk(localDisk);
    this.#isPacking = isPacking;
    this.#blobs = join(folder, 'blobs', 'sha256');
    this.#images = join(folder, 'rootfs', format);
    this.#references = join(folder, 'references');
    try {
      for (const each of [this.#blobs, this.#images, this.#references]) makeFolder(each);
      this.temporaries = new Temporaries(join(folder, 'temporary'));
    } catch (error) {
      throw toDiskFailure(error, folder);
    }
  }

  /** True once its group uses it together. */
  get isShared(): boolean {
    return existsSync(sharedMark(this.folder));
  }

  /** Where builds keep what they may need again: in a shared store each user's own, as files there keep their modes. */
  buildFolder(name: 'builds' | 'build-mounts'): string {
    return join(this.folder, this.isShared ? `${name}-${process.getuid?.()}` : name);
  }

  /**
   * Lets the group that the store's folder belongs to use its images and add to them, from now on. Whatever the owner of a
   * file may read, the group may then read as well. Throws a Failure where the store belongs to somebody else.
   */
  share(): void {
    shareFolder(this.folder);
    for (const name of ['', 'blobs', 'blobs/sha256', 'rootfs', `rootfs/${format}`, 'references', 'temporary']) {
      shareFolder(join(this.folder, name));
    }
    for (const folder of [this.#blobs, this.#images, this.#references]) {
      for (const name of readdirSync(folder)) letGroupRead(join(folder, name));
    }
    writeFileSync(sharedMark(this.folder), 'image share: the group of this folder uses it together\n');
    letGroupRead(sharedMark(this.folder));
  }

  /** How images that come from now on are kept; those that are there stay as they are. */
  setForm(form: ImageForm): void {
    const path = this.temporaries.make('form');
    writeFileSync(path, `${JSON.stringify({ form })}\n`);
    this.publish(path, join(this.folder, 'form.json'));
  }

  /** Gives what is complete its name. */
  publish(temporary: string, path: string): void {
    if (this.isShared) letGroupRead(temporary);
    renameSync(temporary, path);
  }

  /** Where the blob is or will be. */
  blobPath(digest: string): string {
    return join(this.#blobs, hexOf(digest));
  }

  /** True if the blob is complete here. */
  hasBlob(digest: string): boolean {
    return existsSync(this.blobPath(digest));
  }

  /** Publishes a file of this store's temporaries whose digest was checked. */
  publishBlob(digest: string, temporary: string): void {
    this.publish(temporary, this.blobPath(digest));
  }

  removeBlob(digest: string): void {
    removeTree(this.blobPath(digest));
  }

  /** The image of this digest with the name it was asked by, if its rootfs is here. */
  findImage(digest: string, reference: string): Image | undefined {
    const record = this.#readRecord(hexOf(digest));
    return record && this.#toImage(record, reference);
  }

  /** The image that a reference last meant, without asking anyone. */
  findReference(reference: string, platform: string): Image | undefined {
    const digest = this.findDigest(reference, platform);
    return digest === undefined ? undefined : this.findImage(digest, reference);
  }

  /** The digest that a reference last meant, whether or not there is a rootfs of it. */
  findDigest(reference: string, platform: string): string | undefined {
    return readJson<StoredReference>(this.#referencePath(reference, platform))?.digest;
  }

  /** A place to make a rootfs in, and to give back with {@link discard} where that fails. */
  draftImage(): Draft {
    const folder = this.temporaries.make('rootfs');
    mkdirSync(folder);
    return { folder, root: this.#isPacking ? this.#localDisk.draft() : join(folder, 'root') };
  }

  discard({ folder, root }: Draft): void {
    removeTree(folder);
    removeTree(dirname(root));
  }

  /**
   * Publishes a draft as the image's rootfs. If another process was faster, its rootfs is used and this one removed. In a
   * store of archives what is published is an archive, and the rootfs stays on this node.
   */
  async publishImage(
    record: ImageRecord,
    { folder, root }: Draft,
    reference: string,
    signal?: AbortSignal,
  ): Promise<Image> {
    const hex = hexOf(record.digest);
    writeFileSync(join(folder, 'image.json'), `${JSON.stringify(record, undefined, 2)}\n`);
    if (this.#isPacking) {
      await packRootfs(root, join(folder, archiveName), signal);
      if (dirname(root) === folder) removeTree(root);
      else this.#localDisk.keep(root, hex);
    }
    try {
      this.publish(folder, join(this.#images, hex));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      removeTree(folder);
    }
    const image = this.findImage(record.digest, reference);
    if (image) return this.openRootfs(image, { signal });
    throw new Failure('image/store', `${join(this.#images, hex)} holds no image`, {
      hint: 'Remove it with `image prune`, then pull again.',
    });
  }

  /** Sees to it that the rootfs of an image is there: one that is kept as an archive is unpacked on this node's disk. */
  async openRootfs(image: Image, { signal, onProgress }: OpenOptions = {}): Promise<Image> {
    const hex = hexOf(image.digest);
    const archive = join(this.#images, hex, archiveName);
    if (image.rootfs !== this.#localDisk.rootfsPath(hex)) return image;
    const bytes = this.#readRecord(hex)?.bytes ?? 0;
    const what = `unpacking ${image.reference} on this node`;
    const onBytes = (done: number) => onProgress?.({ what, done, total: bytes, unit: 'bytes' });
    await this.#localDisk.unpack(archive, { hex, bytes }, { signal, onBytes });
    return image;
  }

  saveReference(reference: string, platform: string, digest: string): void {
    const path = this.temporaries.make('reference');
    const stored: StoredReference = { reference, platform, digest, time: new Date().toISOString() };
    writeFileSync(path, `${JSON.stringify(stored)}\n`);
    this.publish(path, this.#referencePath(reference, platform));
  }

  /** All images, with their names; those without a name come last. */
  list(): StoredImage[] {
    const references = this.#listReferences();
    const images = readdirSync(this.#images).flatMap(hex => {
      const record = this.#readRecord(hex);
      if (!record) return [];
      const names = references.filter(each => each.digest === record.digest);
      const layerBytes = record.layers.reduce((sum, each) => sum + sizeOf(this.blobPath(each)), 0);
      return [{ ...record, rootfs: this.#rootfsPath(record.digest), references: names, layerBytes }];
    });
    return images.sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  }

  /** By reference, or by the first digits of the digest (`sha256:` or not). Undefined if there is none. */
  find(name: string, platform?: string): StoredImage | undefined {
    const digits = name.replace(/^sha256:/, '');
    return this.list().find(
      image =>
        image.references.some(each => each.reference === name && (!platform || each.platform === platform)) ||
        (/^[0-9a-f]{6,64}$/.test(digits) && image.digest.startsWith(`sha256:${digits}`)),
    );
  }

  /** Removes an image, its names, and the layers that no other image has. */
  remove(image: StoredImage): Freed {
    this.#checkOwner(image);
    for (const each of image.references) removeTree(this.#referencePath(each.reference, each.platform));
    this.#removeRootfs(hexOf(image.digest));
    const shared = new Set([...this.list().flatMap(each => each.layers), ...this.#findDelivered()]);
    const freed: Freed = { images: [image.digest], layers: 0, bytes: image.bytes };
    for (const layer of image.layers) if (!shared.has(layer)) this.#freeBlob(hexOf(layer), freed);
    for (const blob of this.#findDelivery(image.digest).slice(0, 2)) this.removeBlob(blob);
    return freed;
  }

  /**
   * Removes images that no name means any more, layers of no image, and what dead processes left. With `isAll` also the
   * layers of images that are complete, which are only needed when another image shares them, images that were delivered
   * and never used, and what builds keep.
   */
  prune(isAll = false): Freed {
    this.temporaries.clean();
    const freed: Freed = { images: [], layers: 0, bytes: 0 };
    const named = new Set(this.#listReferences().map(each => hexOf(each.digest)));
    for (const hex of readdirSync(this.#images)) {
      const record = this.#readRecord(hex);
      if (record && named.has(hex)) continue;
      // What others in the group made is theirs to remove.
      if (!isOwn(join(this.#images, hex))) continue;
      this.#removeRootfs(hex);
      freed.images.push(`sha256:${hex}`);
      freed.bytes += record?.bytes ?? 0;
    }
    const kept = isAll ? [] : [...this.list().flatMap(each => each.layers), ...this.#findDelivered()];
    const needed = new Set(kept.map(hexOf));
    if (isAll) for (const name of ['builds', 'build-mounts'] as const) this.#removeFolder(this.buildFolder(name));
    for (const hex of readdirSync(this.#blobs)) if (!needed.has(hex)) this.#freeBlob(hex, freed);
    for (const each of this.#listReferences()) {
      if (this.#isComplete(each.digest) || this.hasBlob(each.digest)) continue;
      removeTree(this.#referencePath(each.reference, each.platform));
    }
    return freed;
  }

  /** The blobs of images that another machine brought and that were not unpacked yet. */
  #findDelivered(): string[] {
    const waiting = this.#listReferences().filter(each => !this.#isComplete(each.digest));
    return waiting.flatMap(each => this.#findDelivery(each.digest));
  }

  /** Digests of a delivered image's manifest, configuration and layers, in this order; none where it was pulled here. */
  #findDelivery(digest: string): string[] {
    const manifest = readJson<{ config: Descriptor; layers: Descriptor[] }>(this.blobPath(digest));
    return manifest ? [digest, manifest.config.digest, ...manifest.layers.map(each => each.digest)] : [];
  }

  #freeBlob(hex: string, freed: Freed): void {
    const path = join(this.#blobs, hex);
    const bytes = sizeOf(path);
    try {
      unlinkSync(path);
      freed.layers++;
      freed.bytes += bytes;
    } catch {
      // Another process removed it.
    }
  }

  #checkOwner({ digest, references }: StoredImage): void {
    const folder = join(this.#images, hexOf(digest));
    if (isOwn(folder)) return;
    const name = references[0]?.reference ?? digest;
    throw new Failure('image/not-yours', `${name} was made by the user with the number ${statSync(folder).uid}`, {
      hint: 'Only they can remove it.',
    });
  }

  /** It is gone from the store in one step; taking it apart may take a while. */
  #removeRootfs(hex: string): void {
    this.#localDisk.remove(hex);
    this.#removeFolder(join(this.#images, hex));
  }

  #removeFolder(folder: string): void {
    const path = this.temporaries.make('removed');
    try {
      renameSync(folder, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw toDiskFailure(error, this.folder);
    }
    removeTree(path);
  }

  #toImage(record: ImageRecord, reference: string): Image {
    const { digest, config, minimumKernel } = record;
    return { reference, digest, rootfs: this.#rootfsPath(digest), config, ...(minimumKernel && { minimumKernel }) };
  }

  #rootfsPath(digest: string): string {
    const hex = hexOf(digest);
    const isPacked = existsSync(join(this.#images, hex, archiveName));
    return isPacked ? this.#localDisk.rootfsPath(hex) : join(this.#images, hex, 'root');
  }

  #isComplete(digest: string): boolean {
    return existsSync(join(this.#images, hexOf(digest), 'image.json'));
  }

  #readRecord(hex: string): ImageRecord | undefined {
    return readJson<ImageRecord>(join(this.#images, hex, 'image.json'));
  }

  #referencePath(reference: string, platform: string): string {
    const name = createHash('sha256').update(`${platform} ${reference}`).digest('hex');
    return join(this.#references, `${name}.json`);
  }

  #listReferences(): StoredReference[] {
    return readdirSync(this.#references).flatMap(name => readJson<StoredReference>(join(this.#references, name)) ?? []);
  }
}

function hexOf(digest: string): string {
  const hex = parseDigest(digest);
  if (hex === undefined) throw new Error(`${digest} is no sha256 digest`);
  return hex;
}

/** True for what is not there, too. Root owns all. */
function isOwn(path: string): boolean {
  const user = process.getuid?.();
  return user === 0 || (statSync(path, { throwIfNoEntry: false })?.uid ?? user) === user;
}

/** Undefined where there is no such file, or one that was cut off when a disk filled up. */
function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function nameOf(image: StoredImage): string {
  return image.references[0]?.reference ?? `~${image.digest}`;
}
