/** A CWL output object as a tree: files and directories can be opened, other values are told. */
import { formatSize } from './format.ts';

export interface OutputEntry {
  name: string;
  kind: 'file' | 'directory' | 'group' | 'value';
  /** Absolute on the cluster, of files and directories. */
  path?: string;
  /** Bytes, of a file where the output object tells. */
  size?: number;
  /** `sha1$HEX` of a file. */
  checksum?: string;
  description: string;
  children?: OutputEntry[];
}

/** One entry for each field of an output object (CWL v1.2, Generic execution process); null outputs are told as such. */
export function listOutputs(outputs: Record<string, unknown>): OutputEntry[] {
  return Object.entries(outputs).map(([name, value]) => toEntry(name, value));
}

/** Where a `file:` location points to on the cluster; undefined for any other. */
export function toPath(location: unknown): string | undefined {
  if (typeof location !== 'string') return undefined;
  if (location.startsWith('/')) return location;
  const match = /^file:\/\/(?:localhost)?(\/.*)$/i.exec(location);
  if (!match?.[1]) return undefined;
  try {
    return decodeURIComponent(match[1]);
  } catch {
    return match[1];
  }
}

function toEntry(name: string, value: unknown): OutputEntry {
  if (Array.isArray(value)) {
    const description = value.length === 1 ? '1 item' : `${value.length} items`;
    return { name, kind: 'group', description, children: value.map((item, index) => toEntry(`[${index}]`, item)) };
  }
  if (typeof value !== 'object' || value === null) {
    return { name, kind: 'value', description: value === undefined ? 'null' : JSON.stringify(value) };
  }
  const fields = value as Record<string, unknown>;
  if (fields.class === 'File') return toFile(name, fields);
  if (fields.class === 'Directory') {
    return {
      name,
      kind: 'directory',
      path: toPath(fields.path) ?? toPath(fields.location),
      description: basename(fields),
    };
  }
  return { name, kind: 'group', description: '', children: listOutputs(fields) };
}

function toFile(name: string, fields: Record<string, unknown>): OutputEntry {
  const size = typeof fields.size === 'number' ? fields.size : undefined;
  const secondary = Array.isArray(fields.secondaryFiles) ? fields.secondaryFiles : [];
  return {
    name,
    kind: 'file',
    path: toPath(fields.path) ?? toPath(fields.location),
    size,
    checksum: typeof fields.checksum === 'string' ? fields.checksum : undefined,
    description: [basename(fields), size === undefined ? '' : formatSize(size)].filter(Boolean).join(' · '),
    ...(secondary.length > 0
      ? { children: secondary.map(each => toEntry(basename(each as Record<string, unknown>), each)) }
      : {}),
  };
}

function basename(fields: Record<string, unknown>): string {
  if (typeof fields.basename === 'string') return fields.basename;
  return (toPath(fields.path) ?? toPath(fields.location) ?? '').split('/').pop() ?? '';
}
