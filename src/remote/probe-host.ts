import { Failure } from '#base/failure.ts';
import type { Kit, Platform } from '#base/kit.ts';
import type { Connection } from '#ssh/connection.ts';
import { defaultFolder, parseFolder } from './folder-template.ts';
import type { FolderReport, HostReport } from './host-report.ts';
import { oldestNode, planProbe } from './probe-script.ts';

export interface ProbeOptions {
  /** Where things shall be kept on the cluster, with variables of its environment. */
  folder?: string;
  /** Whether one of these is installed is looked at first; if so, nothing else is. */
  kits?: readonly Kit[];
  signal?: AbortSignal;
}

/** Looks at a host in one round trip. Throws a Failure where the folder's variables are not set there. */
export async function probeHost(connection: Connection, options: ProbeOptions = {}): Promise<HostReport> {
  const folder = options.folder || defaultFolder;
  const script = planProbe(parseFolder(folder), options.kits ?? []);
  const { stdout, stderr, exit } = await connection.exec(script, { signal: options.signal });
  if (exit.code !== 0) {
    throw new Failure('remote/probe', `${connection.host.hostName} could not be looked at`, {
      hint: stderr.trim().slice(-500),
    });
  }
  return parseProbe(stdout, folder);
}

/** Reads what the script of {@link planProbe} printed. */
export function parseProbe(text: string, folder: string): HostReport {
  const values = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) values.set(line.slice(0, at), [...(values.get(line.slice(0, at)) ?? []), line.slice(at + 1)]);
  }
  const get = (key: string) => values.get(key)?.[0] ?? '';
  if (values.has('unset')) {
    throw new Failure('remote/folder', `the variable ${get('unset')} is not set on the cluster`, {
      hint: `The install folder is set to ${folder}: write another path in the settings of this cluster.`,
    });
  }
  const platform = (get('platform') || undefined) as Platform | undefined;
  const home = get('chosen');
  const digest = get('digest');
  return {
    hostname: get('hostname'),
    user: get('user'),
    system: get('system'),
    platform,
    libc: get('libc'),
    hasSha256: !values.has('without'),
    node: (values.get('found') ?? []).map(readNode).find(node => node !== undefined && node.platform === platform),
    folders: readFolders(values.get('folder') ?? [], values.get('quota') ?? []),
    installed:
      digest && platform
        ? { home, platform, digest, helper: `${home}/kit/${digest}/helper.cjs`, node: get('node') }
        : undefined,
  };
}

/** `x64 22.15.0 /usr/bin/node`; undefined for one that is too old. */
function readNode(text: string): { path: string; version: string; platform: string } | undefined {
  const [arch = '', version = '', ...path] = text.split(' ');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNewEnough = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  return isNewEnough ? { path: path.join(' '), version, platform: `linux-${arch}` } : undefined;
}

function readFolders(lines: string[], quotas: string[]): FolderReport[] {
  const folders = lines.map(line => {
    const [writable, executable, fileSystem = '', free, ...path] = line.split(' ');
    return {
      path: path.join(' '),
      writable: writable === 'yes',
      executable: executable === 'yes',
      freeBytes: free && /^\d+$/.test(free) ? Number(free) * 1024 : undefined,
      fileSystem,
      quotaFreeBytes: findQuota(fileSystem, quotas),
    };
  });
  return folders.filter((each, index) => folders.findIndex(other => other.path === each.path) === index);
}

/** `device used soft hard`, in kilobytes; a limit of 0 is none. */
function findQuota(fileSystem: string, quotas: string[]): number | undefined {
  for (const line of quotas) {
    const [device, ...numbers] = line.split(' ');
    const [used = 0, soft = 0, hard = 0] = numbers.map(Number);
    const limit = hard || soft;
    if (device === fileSystem && limit > 0) return Math.max(0, limit - used) * 1024;
  }
  return undefined;
}
