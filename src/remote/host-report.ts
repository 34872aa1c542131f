import type { Platform } from '#base/kit.ts';

/** What a look at a host found. */
export interface HostReport {
  hostname: string;
  user: string;
  /** `Linux 3.10.0-1160.el7.x86_64 x86_64`. */
  system: string;
  /** Undefined where no kit can run. */
  platform: Platform | undefined;
  /** `glibc 2.17`, `musl`; empty where nothing told it. */
  libc: string;
  /** A program for SHA-256 is there; else cksum(1) has to do. */
  hasSha256: boolean;
  /** A Node that the helper can run with; undefined where the kit's own is needed. */
  node: { path: string; version: string } | undefined;
  /** The first is the chosen one; the others are places that the cluster's environment names. */
  folders: FolderReport[];
  /** The kit that is there already and whole. */
  installed: Installed | undefined;
}

/** A place for the kit, images and runs. */
export interface FolderReport {
  path: string;
  writable: boolean;
  /** Programs there can be run (it is not mounted noexec); only tried in the chosen folder. */
  executable: boolean;
  /** As df(1) says; undefined where it did not answer in time. */
  freeBytes: number | undefined;
  fileSystem: string;
  /** What quota(1) leaves the user there; undefined where it says nothing. */
  quotaFreeBytes: number | undefined;
}

/** A kit on the cluster, ready to be started. */
export interface Installed {
  /** `CWL_ON_CLUSTERS_HOME`. */
  home: string;
  platform: Platform;
  digest: string;
  /** Absolute. */
  helper: string;
  /** Absolute: the cluster's own Node, or the kit's. */
  node: string;
}
