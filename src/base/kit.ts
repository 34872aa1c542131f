/** A kind of machine that a kit is built for: `linux-` and Node's `process.arch`. */
export type Platform = 'linux-x64' | 'linux-arm64';

/**
 * `dist/kit/PLATFORM/kit.json`: what the near end puts on the cluster as `kit/DIGEST/`, where it is never changed again.
 * Written by `scripts/build-kit.ts`.
 */
export interface Kit {
  platform: Platform;
  /** Of the product. */
  version: string;
  /** SHA-256 (hex) over path, mode and digest of all pieces: the name of the kit's folder on the cluster. */
  digest: string;
  pieces: KitPiece[];
  runtime: KitRuntime;
}

/** One file of the kit. */
export interface KitPiece {
  /** Where it belongs, below the kit's folder on the cluster: `helper.cjs`, `bin/proot`, `runtime.tar.gz`. */
  path: string;
  /** Where the build left it, below the folder of `kit.json`; what is the same for all machines, such as `../../helper.cjs`, is outside. */
  source: string;
  /** Hex. */
  sha256: string;
  /** Bytes. */
  size: number;
  /** Permission bits: 0o755 or 0o644. */
  mode: number;
}

/**
 * The JavaScript runtime: one gzipped tar that is unpacked in the kit's folder (it holds `runtime/...`) and can be
 * removed then. Before `nodePath` can run, the absolute path of `loader` is written into it, once:
 *
 *     printf '%s\0' "$kit/$loader" | dd of="$kit/$nodePath" bs=1 seek=$interpreterOffset conv=notrunc
 *
 * with `$kit` the final folder, not the temporary one. After that it needs no environment variable, no libc of the
 * host, and `process.execPath` is its own path. LD_PRELOAD and LD_LIBRARY_PATH of the host should be unset for it.
 */
export interface KitRuntime {
  /** Path of the piece: `runtime.tar.gz`. */
  archive: string;
  /** Of Node: `24.21.0`. */
  nodeVersion: string;
  /** Below the kit's folder: `runtime/node`. */
  nodePath: string;
  /** Below the kit's folder: `runtime/lib/ld-linux-x86-64.so.2`. */
  loader: string;
  /** Byte in `nodePath` where the path of the loader begins. */
  interpreterOffset: number;
  /** Room for that path in bytes, the NUL at its end included. */
  interpreterLength: number;
  /** Bytes of all files in the archive. */
  unpackedSize: number;
}

/** What {@link Kit.digest} is the SHA-256 of: one line per piece, sorted by path. */
export function formatKitContent(pieces: readonly KitPiece[]): string {
  const sorted = [...pieces].sort((a, b) => (a.path < b.path ? -1 : 1));
  return sorted.map(({ path, mode, sha256 }) => `${mode.toString(8)} ${sha256} ${path}\n`).join('');
}
