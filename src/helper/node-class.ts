import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { arch, hostname, release, version } from 'node:os';
import type { NodeSettings } from '#engine/node-settings.ts';
import type { Tools } from '#engine/sandbox.ts';
import { findMount, type Mount, parseMountInfo } from '#locks/mount-table.ts';
import { nearestReal, readText } from './quiet-files.ts';

/** What a node is like, as far as it decides what works there: nodes that are alike are of one class. */
export interface NodeDescription {
  /** Name of the class as people say it: the node's name with its numbers left out, `cn#`. */
  name: string;
  /** Names the class; other for every difference. */
  id: string;
  /** `Slurm job 1234`; undefined outside of batch jobs. */
  job: string | undefined;
  settings: NodeSettings;
}

/** Variables by which batch systems tell a job its number. */
const jobVariables: Record<string, string> = {
  SLURM_JOB_ID: 'Slurm job',
  PBS_JOBID: 'PBS job',
  LSB_JOBID: 'LSF job',
  OAR_JOB_ID: 'OAR job',
  COBALT_JOBID: 'Cobalt job',
  // Of Grid Engine, and a plain word: the last.
  JOB_ID: 'Grid Engine job',
};

/** Changed when reports are made in another way. */
const edition = 2;

/** Looks at the settings of this node and of this process. `folders`: those of the helper, where programs are run. */
export function describeNode(tools: Tools, folders: readonly string[]): NodeDescription {
  const mounts = parseMountInfo(readText('/proc/self/mountinfo'));
  const status = readText('/proc/self/status');
  const job = findJob();
  const settings = readSettings(mounts, status, folders);
  const name = (hostname().split('.')[0] ?? '').replaceAll(/\d+/g, '#');
  const facts = [
    edition,
    settings,
    [name, version(), arch(), readProcessor(), process.getuid?.(), process.getgid?.()],
    // A job may be started with other limits, and below another program, than a login.
    job?.kind,
    ['CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp'].map(field => readField(status, field)),
    [readText('/proc/self/attr/current'), readText('/proc/self/uid_map'), readLine('/sys/fs/selinux/enforce')],
    readLine('/proc/sys/kernel/seccomp/actions_avail'),
    readLine('/proc/sys/user/max_net_namespaces'),
    [...folders, '/proc'].map(folder => describeMount(findMount(mounts, nearestReal(folder)))),
    // Where parts of /proc are hidden, no other can be mounted.
    mounts.filter(mount => mount.mountPoint.startsWith('/proc/')).map(mount => mount.mountPoint),
    // A kit may lack some.
    Object.values(tools).map((path: string | undefined) => path && [path, describeFile(path)]),
  ];
  return {
    name,
    id: createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32),
    job: job && `${job.kind} ${job.number}`,
    settings,
  };
}

/** The batch job that this process is in: `Slurm job`, `4711`. */
export function findJob(): { kind: string; number: string } | undefined {
  const [variable, kind] = Object.entries(jobVariables).find(([name]) => process.env[name]) ?? [];
  const number = variable && process.env[variable];
  return kind && number ? { kind, number } : undefined;
}

function readSettings(mounts: readonly Mount[], status: string, folders: readonly string[]): NodeSettings {
  const modules = readLine('/sys/kernel/security/lsm');
  return {
    kernel: release(),
    maxUserNamespaces: readNumber('/proc/sys/user/max_user_namespaces'),
    unprivilegedClone: readNumber('/proc/sys/kernel/unprivileged_userns_clone'),
    apparmorUserns: readNumber('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
    ptraceScope: readNumber('/proc/sys/kernel/yama/ptrace_scope'),
    securityModules: modules === '' ? undefined : modules.split(','),
    container: findContainer(),
    isFiltered: readField(status, 'Seccomp') === '2',
    noexec: folders.filter(folder => findMount(mounts, nearestReal(folder))?.options.includes('noexec')),
  };
}

/** Marks that containers leave (systemd.io/CONTAINER_INTERFACE, and habits). */
function findContainer(): string | undefined {
  if (process.env.APPTAINER_CONTAINER ?? process.env.SINGULARITY_CONTAINER) return 'Apptainer';
  if (existsSync('/.dockerenv')) return 'a Docker container';
  if (existsSync('/run/.containerenv')) return 'a podman container';
  const kind = readLine('/run/systemd/container');
  return kind === '' ? undefined : `a container (${kind})`;
}

/** Type and what is forbidden on it; other options, and the names of servers, do not matter. */
function describeMount(mount: Mount | undefined): unknown {
  const options = mount?.options.filter(option => /^(?:no(?:exec|suid|dev)|ro|hidepid=.*|subset=.*)$/.test(option));
  return [mount?.type, ...new Set(options)];
}

function describeFile(path: string): unknown {
  const found = statSync(path, { throwIfNoEntry: false });
  return found && [found.size, found.mtimeMs];
}

/** The beginning is enough, and does not grow with the number of processors. */
function readProcessor(): string {
  return /^(?:model name|CPU part)\s*:\s*(.*)$/m.exec(readStart('/proc/cpuinfo'))?.[1] ?? '';
}

function readField(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
}

function readNumber(path: string): number | undefined {
  const text = readLine(path);
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
}

function readLine(path: string): string {
  return readText(path).split('\n')[0]?.trim() ?? '';
}

function readStart(path: string): string {
  try {
    const descriptor = openSync(path, 'r');
    try {
      const buffer = Buffer.alloc(2048);
      return buffer.toString('latin1', 0, readSync(descriptor, buffer));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '';
  }
}
