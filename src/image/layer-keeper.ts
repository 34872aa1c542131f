import { closeSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseDigest } from '#registry/digest.ts';
import { hiddenName, ListingWriter, places } from './listing.ts';
import { parseMemberPath } from './member-path.ts';
import { markerName } from './prepare-rootfs.ts';
import type { RootfsWriter } from './rootfs-writer.ts';
import type { Member, MemberSink } from './tar-reader.ts';

// Bytes of a hidden file that is kept, and of all that are. What layers replace again and again is small: the lists of
// what is installed, caches, passwords. What they remove may be large, and is seldom wanted by an image without that layer.
const fileLimit = 4 << 20;
const totalLimit = 32 << 20;

/** What was kept of the layers of an image. */
export interface KeptLayers {
  /** By diffID: the number of files whose data is neither in the rootfs nor kept. */
  layers: Record<string, number>;
  /** Of listings and hidden data. */
  bytes: number;
}

/**
 * Notes down the members of the layers that an unpacker is given, from the top down, and keeps the data of small files
 * that it has no use for: an image without the higher layers that hide them needs them.
 */
export class LayerKeeper implements MemberSink {
  readonly #folder: string;
  readonly #writer: RootfsWriter;
  readonly #sink: MemberSink;
  readonly #kept: KeptLayers = { layers: {}, bytes: 0 };
  #listing: ListingWriter | undefined;
  #diffId = '';
  /** Files of this layer whose data is nowhere. */
  #missing = 0;
  #removals = 0;
  #member: Member | undefined;
  #place = 0;
  /** Written to the rootfs before this member. */
  #bytes = 0;
  #hidden = -1;
  #hiddenBytes = 0;

  /** `folder` must not exist; it is made when there is something to keep. */
  constructor(folder: string, writer: RootfsWriter, sink: MemberSink) {
    this.#folder = folder;
    this.#writer = writer;
    this.#sink = sink;
  }

  /** A layer whose digest nobody says is not noted down, nor one that comes a second time: less of it is seen. */
  beginLayer(diffId: string | undefined): void {
    this.#diffId = diffId ?? '';
    if (diffId === undefined || diffId in this.#kept.layers) return;
    mkdirSync(this.#folder, { recursive: true });
    this.#listing = new ListingWriter(this.#pathOf(diffId));
    this.#missing = 0;
    this.#removals = this.#writer.removals;
  }

  /** The layer was read, and is what its digest says. */
  endLayer(): void {
    const listing = this.#listing;
    this.#listing = undefined;
    listing?.close();
    if (!listing) return;
    // A name that comes twice no longer means the first file.
    if (this.#writer.removals !== this.#removals) {
      unlinkSync(this.#pathOf(this.#diffId));
      return;
    }
    this.#kept.layers[this.#diffId] = this.#missing;
    this.#kept.bytes += listing.bytes;
  }

  /** All layers were read. Undefined if nothing is of use. */
  finish(): KeptLayers | undefined {
    if (Object.keys(this.#kept.layers).length === 0) return undefined;
    return { ...this.#kept, bytes: this.#kept.bytes + this.#hiddenBytes };
  }

  /** Closes what is open. */
  abandon(): void {
    this.#listing?.abandon();
    this.#listing = undefined;
    if (this.#hidden >= 0) closeSync(this.#hidden);
    this.#hidden = -1;
  }

  begin(member: Member): boolean {
    this.#bytes = this.#writer.bytes;
    const isWanted = this.#sink.begin(member);
    if (!this.#listing) return isWanted;
    if (member.type !== '0') {
      this.#listing.add(member, places.nowhere, 0);
      return false;
    }
    this.#member = member;
    if (isWanted) this.#place = this.#isAtItsName(member) ? places.rootfs : places.nowhere;
    else if (this.#canKeep(member)) this.#place = this.#hiddenBytes;
    else {
      this.pass();
      return false;
    }
    return true;
  }

  write(data: Buffer, at: number): void {
    if (this.#isKeeping) this.#keep(data);
    else this.#sink.write(data, at);
  }

  end(): void {
    if (this.#isKeeping) this.#add(this.#hiddenBytes - this.#place);
    else {
      this.#sink.end();
      this.#add(this.#writer.bytes - this.#bytes);
    }
  }

  /** The data of a member that only this class wanted can't be had. */
  pass(): void {
    this.#place = places.nowhere;
    this.#add(0);
  }

  get #isKeeping(): boolean {
    return this.#member !== undefined && this.#place >= 0;
  }

  #add(bytes: number): void {
    if (this.#member) this.#listing?.add(this.#member, this.#place, bytes);
    if (this.#member && this.#place === places.nowhere) this.#missing++;
    this.#member = undefined;
  }

  /** Not where it went through a symbolic link: what that means is up to the other layers. */
  #isAtItsName({ name }: Member): boolean {
    const { path } = this.#writer;
    return path !== markerName && (path === name || path === parseMemberPath(name).parts.join('/'));
  }

  #canKeep({ size, isSparse }: Member): boolean {
    return !isSparse && size <= fileLimit && this.#hiddenBytes + size <= totalLimit;
  }

  #keep(data: Buffer): void {
    if (this.#hidden < 0) this.#hidden = openSync(join(this.#folder, hiddenName), 'wx');
    for (let done = 0; done < data.length; ) done += writeSync(this.#hidden, data, done);
    this.#hiddenBytes += data.length;
  }

  #pathOf(diffId: string): string {
    return join(this.#folder, parseDigest(diffId) ?? '');
  }
}
