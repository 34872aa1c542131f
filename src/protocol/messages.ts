/** The messages between the near end (the editor) and the helper on the cluster: JSON-RPC 2.0 on its stdin and stdout. */

import { NotificationType, RequestType, RequestType0 } from 'vscode-jsonrpc';
import type { Problem } from '#base/problem.ts';
import type { LockFinding } from './locks.ts';
import type { NodeReport, ProbeReport } from './probe.ts';
import type { RunDetail, RunSummary } from './runs.ts';

/** Raised when a message changes its shape; both ends must agree. */
export const protocolVersion = 1;

/** What every failed request carries in `ResponseError.data`. */
export interface FailureData {
  code: string;
  hint?: string;
  problems?: Problem[];
}

export interface Hello {
  protocol: number;
  version: string;
  pid: number;
  hostname: string;
  user: string;
  /** Where the helper keeps runs and images. */
  home: string;
}
export const hello = new RequestType0<Hello, FailureData>('hello');

/** Looks at the host and runs the engines' self-tests; cached per node class unless `fresh`. */
export const probe = new RequestType<{ fresh?: boolean }, ProbeReport, FailureData>('probe');

/** What is known of the classes of nodes on which the helper has been used, newest first. */
export const listNodes = new RequestType0<NodeReport[], FailureData>('probe/nodes');

/** Which of these files (by SHA-256, hex) the source store lacks. */
export const findMissingSources = new RequestType<{ digests: string[] }, { missing: string[] }, FailureData>(
  'source/missing',
);
/** Puts one file of at most 8 MiB into the source store; verified against its digest, published by rename. Content is base64. */
export const putSource = new RequestType<{ digest: string; base64: string }, null, FailureData>('source/put');

/**
 * Publishes a larger file that came by sftp as `part`, a name in the source store that begins with the digest:
 * `DIGEST.part`, or `DIGEST.WORD.part` where several may upload at once. A file of another digest is removed, and the
 * request fails with `source/digest`.
 */
export const verifySource = new RequestType<{ digest: string; part?: string }, null, FailureData>('source/verify');

/** Where a run's images are kept, and what stands in for their registries. */
export interface ImagePlace {
  /** Absolute folder; by default the one in the helper's home. */
  imageStore?: string;
  /** Registry host to mirror URL: `{ "docker.io": "http://127.0.0.1:5000" }`. */
  mirrors?: Record<string, string>;
}
/**
 * Which of these images, and of those that the texts of Dockerfiles start from, the cluster neither has nor can pull
 * (`reason`: why), and what they must be built for (`linux/amd64`). Its registries are not asked unless `asks`: then
 * all that it does not have are named, without a reason.
 */
export const findWantedImages = new RequestType<
  ImagePlace & { images: string[]; dockerFiles: string[]; asks: boolean },
  { platform: string; wanted: { reference: string; reason?: string }[] },
  FailureData
>('image/wanted');
/**
 * Which of an image's layers are to be brought, and the file that each grows in (by sftp); none where its rootfs is there.
 * `client` names what is uploaded: what a broken connection left is found again under it.
 */
export const findWantedBlobs = new RequestType<
  ImagePlace & { image: string; layers: string[]; client: string },
  { blobs: { digest: string; path: string }[] },
  FailureData
>('image/blobs');
/** Publishes an uploaded layer. One of another digest is removed, and the request fails with `image/digest-mismatch`. */
export const publishBlob = new RequestType<ImagePlace & { digest: string; client: string }, null, FailureData>(
  'image/publish',
);
/** Names an image whose layers are there; manifest and configuration are base64. The first run that needs it unpacks it. */
export const deliverImage = new RequestType<
  ImagePlace & { reference: string; platform: string; manifest: string; configuration: string },
  null,
  FailureData
>('image/deliver');

export interface RunRequest {
  /** The documents and small inputs of the run: path below the run's source folder, and SHA-256 of the content. */
  sources: { path: string; digest: string }[];
  /** Folders below the source folder that hold no file. */
  folders?: string[];
  /** The process to run: a path below the source folder, or an absolute path on the cluster; `#id` picks from a packed document. */
  tool: string;
  /** The input object; its relative paths start at the source folder. */
  inputs: Record<string, unknown>;
  /** The name that people see. */
  label: string;
  /** Absolute output folder on the cluster; by default one inside the run's own folder. */
  outdir?: string;
  options?: RunOptions;
}
export interface RunOptions extends ImagePlace {
  engine?: string;
  /** The program of an engine that is one of the host's: a path, or a name in PATH. */
  dockerCommand?: string;
  parallel?: number;
  /** Absolute folder of results that runs share (CWL v1.2, WorkReuse). */
  cache?: string;
}
/**
 * Starts a run that lives on by itself; answers when its process has begun. Where the documents or inputs are at fault it
 * fails with `run/not-started`, the message says where, and nothing is left.
 */
export const startRun = new RequestType<RunRequest, { id: string }, FailureData>('run/start');
export const listRuns = new RequestType0<RunSummary[], FailureData>('run/list');
export const showRun = new RequestType<{ id: string }, RunDetail, FailureData>('run/show');
/** Answers when the run has ended. */
export const cancelRun = new RequestType<{ id: string }, null, FailureData>('run/cancel');
/** Goes on after the last finished step. Fails with `run/busy` while it is running, `run/ended` after a success. */
export const resumeRun = new RequestType<{ id: string }, null, FailureData>('run/resume');
/** Removes the run's own folder; an output folder elsewhere stays. Fails with `run/busy` while it is running. */
export const removeRun = new RequestType<{ id: string }, null, FailureData>('run/remove');
/** Sent for every run whose state, or whose tasks' state, changed. */
export const runChanged = new NotificationType<RunDetail>('run/changed');
/** Sent when somebody has removed a run. */
export const runRemoved = new NotificationType<{ id: string }>('run/removed');

/** `task` absent: the run's own log. */
export interface LogKey {
  run: string;
  task?: string;
  stream: 'stdout' | 'stderr' | 'log';
}
/** Text from byte `offset` on, at most 256 KiB; `next` is where to go on. */
export const readLog = new RequestType<
  LogKey & { offset: number },
  { text: string; next: number; ended: boolean },
  FailureData
>('log/read');
/** From now on `logAppended` is sent for this log, starting at `offset`; ends with `unwatchLog`. */
export const watchLog = new RequestType<LogKey & { offset: number }, null, FailureData>('log/watch');
export const unwatchLog = new RequestType<LogKey, null, FailureData>('log/unwatch');
export const logAppended = new NotificationType<LogKey & { text: string; next: number; ended: boolean }>(
  'log/appended',
);

export interface FileStat {
  type: 'file' | 'directory' | 'other';
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
}
/** Only paths inside run folders, output folders and inputs of known runs are served. */
export const statFile = new RequestType<{ path: string }, FileStat, FailureData>('file/stat');
export const listFiles = new RequestType<{ path: string }, { entries: (FileStat & { name: string })[] }, FailureData>(
  'file/list',
);
/** At most 1 MiB a call. */
export const readFile = new RequestType<
  { path: string; offset: number; length: number },
  { base64: string; size: number },
  FailureData
>('file/read');

/** The arguments after `helper.cjs` that open a terminal in the sandbox of a task, and the step's command line to type there. */
export const openShell = new RequestType<
  { run: string; task: string },
  { arguments: string[]; commandLine: string },
  FailureData
>('shell/open');

/** Rules for the file systems below these paths. */
export const checkLocks = new RequestType<{ paths: string[] }, LockFinding[], FailureData>('locks/check');
/** Sent when a run's directories turn out to be on a file system whose locks do not hold. */
export const lockConflict = new NotificationType<LockFinding & { run?: string }>('lock/conflict');
