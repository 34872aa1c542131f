import { closeSync, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { Failure } from '#base/failure.ts';
import type { Donor } from './donors.ts';
import { type ListedMember, places, readListing } from './listing.ts';
import { parseMemberPath } from './member-path.ts';
import type { RootfsWriter } from './rootfs-writer.ts';
import type { Member, MemberSink } from './tar-reader.ts';

/** Where the files of a donor no longer sufficed: the number of the member, and whether the sink waits for its data. */
interface Stop {
  at: number;
  isBegun: boolean;
}

/** A sink that can do without the data of a member that it asked for, unless the writer waits for it. */
type PatientSink = MemberSink & { pass?(): void };

// Members that are handled before others get their turn, and bytes that are copied at once.
const pause = 256;
const pieceSize = 1 << 18;

/**
 * A layer whose members are known from the listing of an earlier image, and whose files become links of that image's.
 * That image may be removed meanwhile, or its files may have been changed: what is not as it was noted down is not used.
 */
export class SharedLayer {
  readonly #donor: Donor;
  readonly #sink: PatientSink;
  readonly #writer: RootfsWriter;
  readonly #members: Generator<ListedMember, void>;
  #hidden: number | undefined;
  /** The listing was read to its end. */
  #isWhole = false;
  #stop: Stop | undefined;

  constructor(donor: Donor, sink: PatientSink, writer: RootfsWriter) {
    this.#donor = donor;
    this.#sink = sink;
    this.#writer = writer;
    this.#members = readListing(donor.listing);
  }

  /** Gives the sink all members. False where something was missing: then the layer is to be read into {@link rest}. */
  async replay(signal: AbortSignal | undefined): Promise<boolean> {
    for (let at = 0; ; at++) {
      if (at % pause === pause - 1) {
        await breathe();
        signal?.throwIfAborted();
      }
      const member = this.#next();
      if (!member) {
        if (!this.#isWhole) this.#stop = { at, isBegun: false };
        return this.#isWhole;
      }
      if (!this.#sink.begin(member)) continue;
      if (this.#writer.isLinked) this.#sink.end();
      else if (!this.#copy(member)) {
        if (this.#writer.isOpen) {
          this.#stop = { at, isBegun: true };
          return false;
        }
        this.#sink.pass?.();
      }
    }
  }

  /** For the layer itself after {@link replay} came to a stop: goes on where that was, and still links what is there. */
  get rest(): MemberSink {
    const { at: first, isBegun } = this.#stop ?? { at: 0, isBegun: false };
    const sink = this.#sink;
    let at = 0;
    return {
      begin: member => {
        const number = at++;
        if (number < first) return false;
        if (number === first && isBegun) return true;
        const known = this.#next();
        const isWanted = sink.begin({ ...member, ...(known?.name === member.name && { existing: known.existing }) });
        if (!isWanted || !this.#writer.isLinked) return isWanted;
        sink.end();
        return false;
      },
      write: (data, place) => sink.write(data, place),
      end: () => sink.end(),
    };
  }

  close(): void {
    this.#members.return();
    if (this.#hidden !== undefined) closeSync(this.#hidden);
    this.#hidden = undefined;
  }

  #next(): ListedMember | undefined {
    try {
      const { value, done } = this.#members.next();
      if (done) this.#isWhole = true;
      if (value?.place === places.rootfs) value.existing = this.#find(value);
      return value ?? undefined;
    } catch {
      return undefined;
    }
  }

  /** The file of the donor, if it still is what the layer said. */
  #find(member: ListedMember): Member['existing'] {
    const path = this.#writer.toPath(parseMemberPath(member.name).parts.join('/'), this.#donor.rootfs);
    try {
      return isSame(lstatSync(path), member) ? { path, bytes: member.bytes } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Gives the sink the data; false if it is nowhere. */
  #copy(member: ListedMember): boolean {
    if (member.isSparse) return false;
    if (member.size === 0) {
      this.#sink.end();
      return true;
    }
    if (member.place >= 0) {
      this.#hidden ??= tryToOpen(this.#donor.hidden);
      const isThere = this.#hidden !== undefined && fstatSync(this.#hidden).size >= member.place + member.size;
      if (isThere) this.#send(this.#hidden as number, member.place, member.size);
      return isThere;
    }
    const file = member.existing && tryToOpen(member.existing.path);
    if (file === undefined) return false;
    try {
      const isThere = isSame(fstatSync(file), member);
      if (isThere) this.#send(file, 0, member.size);
      return isThere;
    } finally {
      closeSync(file);
    }
  }

  #send(file: number, start: number, size: number): void {
    const piece = Buffer.allocUnsafe(Math.min(size, pieceSize));
    for (let done = 0; done < size; ) {
      const count = readSync(file, piece, 0, Math.min(piece.length, size - done), start + done);
      if (count === 0) {
        const hint = 'Try again: what was cut off is not taken a second time.';
        throw new Failure('image/store', 'a file of the image store was cut off while it was copied', { hint });
      }
      this.#sink.write(piece.subarray(0, count), done);
      done += count;
    }
    this.#sink.end();
  }
}

function isSame(stat: Stats, { size, mode, mtime }: Member): boolean {
  const wanted = mode & 0o777;
  const found = stat.mode & 0o7777;
  // A store that is shared later lets its group read what the owner may read (group-access.ts).
  const isMode = found === wanted || found === (wanted | ((wanted >> 3) & 0o050));
  // Not all file systems keep fractions of a second, and some only every other second.
  return stat.isFile() && stat.size === size && isMode && Math.abs(stat.mtimeMs / 1000 - mtime) <= 2;
}

function tryToOpen(path: string | Buffer): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}
