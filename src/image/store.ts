import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Failure } from '#base/failure.ts';
import type { Progress } from '#base/log.ts';
import { parseDigest } from '#registry/digest.ts';
import { toDiskFailure } from './disk-failure.ts';
import { letGroupRead, sharedMark } from './group-access.ts';
import type { Image } from './image.ts';
import { type ImageRecord, readJson, type StoredImage } from './image-record.ts';
import { LocalDisk } from './local-disk.ts';
import { makeFolder } from './make-folder.ts';
import { packRootfs } from './pack.ts';
import { References } from './references.ts';
import { type FreedSpace, removeTree } from './remove-tree.ts';
import { Temporaries } from './temporaries.ts';

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
  readonly references: References;
  readonly #blobs: string;
  readonly #images: string;
  readonly #localDisk: LocalDisk;
  /** Images are kept as archives. */
  readonly isPacking: boolean;

  constructor(folder: string, { localDisk, isPacking }: StoreForm) {
    this.folder = folder;
    this.#localDisk = new LocalDisk(localDisk);
    this.isPacking = isPacking;
    this.#blobs = join(folder, 'blobs', 'sha256');
    this.#images = join(folder, 'rootfs', format);
    const references = join(folder, 'references');
    this.references = new References(this, references);
    try {
      for (const each of [this.#blobs, this.#images, references]) makeFolder(each);
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
    const digest = this.references.findDigest(reference, platform);
    return digest === undefined ? undefined : this.findImage(digest, reference);
  }

  /** A place to make a rootfs in, and to give back with {@link discard} where that fails. */
  draftImage(): Draft {
    const local = this.isPacking ? this.#localDisk.draft() : undefined;
    const folder = this.temporaries.make('rootfs');
    mkdirSync(folder);
    return { folder, root: local ?? join(folder, 'root') };
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
    writeFileSync(join(folder, 'image.json'), `${JSON.stringify({ ...record, reference }, undefined, 2)}\n`);
    if (this.isPacking) {
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

  /** All images, with their names; those without a name come last. */
  list(): StoredImage[] {
    const references = this.references.list();
    const images = readdirSync(this.#images).flatMap(hex => {
      const record = this.#readRecord(hex);
      if (!record) return [];
      const names = references.filter(each => each.digest === record.digest);
      const kept = record.kept?.bytes ?? 0;
      const layerBytes = record.layers.reduce((sum, each) => sum + sizeOf(this.blobPath(each)), kept);
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

  /** Digests of all blobs that are complete. */
  listBlobs(): string[] {
    return readdirSync(this.#blobs).map(hex => `sha256:${hex}`);
  }

  /** Digests of all images, also of those whose record can't be read. */
  listImages(): string[] {
    return readdirSync(this.#images).map(hex => `sha256:${hex}`);
  }

  /** What holds an image: its record, and its rootfs or an archive of it. */
  imageFolder(digest: string): string {
    return join(this.#images, hexOf(digest));
  }

  /** An image is gone from the store in one step; taking it apart may take a while. Its names and layers stay. */
  removeImage(digest: string, freed: FreedSpace): void {
    this.#localDisk.remove(hexOf(digest), freed);
    this.removeFolder(this.imageFolder(digest), freed);
  }

  removeFolder(folder: string, freed: FreedSpace): void {
    const path = this.temporaries.make('removed');
    try {
      renameSync(folder, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw toDiskFailure(error, this.folder);
    }
    removeTree(path, freed);
  }

  /** True where the image needs nothing but to be opened. */
  hasImage(digest: string): boolean {
    return existsSync(join(this.imageFolder(digest), 'image.json'));
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

  #readRecord(hex: string): ImageRecord | undefined {
    return readJson<ImageRecord>(join(this.#images, hex, 'image.json'));
  }
}

function hexOf(digest: string): string {
  const hex = parseDigest(digest);
  if (hex === undefined) throw new Error(`${digest} is no sha256 digest`);
  return hex;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function nameOf(image: StoredImage): string {
  return image.references[0]?.reference ?? `~${image.digest}`;
}
