import { findMount, type Mount, parseMountInfo } from './mount-table.ts';
import { findLockRule, type LockRule, type LockScope, type RuleContext } from './rules.ts';

/** What the mount table says about the locks of one directory. */
export interface LockVerdict {
  path: string;
  mountPoint: string;
  fileSystem: string;
  source: string;
  flock: LockScope;
  fcntl: LockScope;
  severity: 'ok' | 'information' | 'warning';
  /** For a person: what can happen, and what to do. */
  message: string;
}

/** Judges `path` (absolute, symbolic links resolved) by the text of `/proc/self/mountinfo`. */
export function judgePath(path: string, mountInfo: string, context: RuleContext = {}): LockVerdict {
  const mount = findMount(parseMountInfo(mountInfo), path);
  return mount ? judgeMount(path, mount, context) : judgeUnknown(path);
}

export function judgeMount(path: string, mount: Mount, context: RuleContext = {}): LockVerdict {
  const rule = findLockRule(mount, context);
  return {
    path,
    mountPoint: mount.mountPoint,
    fileSystem: mount.type,
    source: mount.source,
    flock: rule.flock,
    fcntl: rule.fcntl,
    ...explain(path, rule),
  };
}

/** A directory whose file system did not answer within `seconds`: a dead mount. */
export function judgeSilent(path: string, mount: Mount | undefined, seconds: number): LockVerdict {
  return {
    path,
    mountPoint: mount?.mountPoint ?? '',
    fileSystem: mount?.type ?? '',
    source: mount?.source ?? '',
    flock: 'unknown',
    fcntl: 'unknown',
    severity: 'warning',
    message: `${path} did not answer within ${seconds} s: its file system${
      mount ? ` (${mount.source})` : ''
    } may be down. A run that uses it would hang; choose another folder, or tell the administrators of the cluster.`,
  };
}

/** The path of the configuration that BeeGFS's rule needs, when `mount` is one. */
export function findBeegfsConfiguration(mount: Mount): string | undefined {
  if (mount.type !== 'beegfs') return undefined;
  return mount.options.find(option => option.startsWith('cfgFile='))?.slice('cfgFile='.length);
}

function explain(path: string, rule: LockRule): Pick<LockVerdict, 'severity' | 'message'> {
  const where = `${path} is on ${rule.name}${rule.why ? `, and ${rule.why}` : ''}.`;
  if (!rule.shared) return { severity: 'ok', message: `${where} Only this machine sees it, and its locks hold here.` };
  const scopes = [rule.flock, rule.fcntl];
  if (scopes.includes('none')) {
    const calls = scopes.every(scope => scope === 'none') ? 'File locks' : `${callsOf(rule, 'none')} locks`;
    return {
      severity: 'warning',
      message: `${where} ${calls} fail there: SQLite says "disk I/O error" or "locking protocol", HDF5 "unable to lock file". ${advice}`,
    };
  }
  if (scopes.includes('node')) {
    const calls = scopes.every(scope => scope === 'node') ? 'A file lock' : `A ${callsOf(rule, 'node')} lock`;
    return {
      severity: 'warning',
      message: `${where} ${calls} that a step takes is not seen by steps on other machines: two of them can write the same SQLite database, HDF5 file or package cache at once and damage it without an error. ${advice}`,
    };
  }
  if (scopes.includes('unknown')) {
    return {
      severity: 'information',
      message: `${where} Whether file locks hold between machines is not known. ${advice}`,
    };
  }
  return {
    severity: rule.caution ? 'information' : 'ok',
    message: `${where} File locks hold on all machines of the cluster.`,
  };
}

const advice =
  'Let such files lie in $TMPDIR while a step works on them, and let one step at a time write each; for HDF5 with one writer, set HDF5_USE_FILE_LOCKING=FALSE (EnvVarRequirement).';

function callsOf(rule: LockRule, scope: LockScope): string {
  return rule.flock === scope ? 'flock (whole file)' : 'fcntl (part of a file)';
}

function judgeUnknown(path: string): LockVerdict {
  return {
    path,
    mountPoint: '',
    fileSystem: '',
    source: '',
    flock: 'unknown',
    fcntl: 'unknown',
    severity: 'information',
    message: `The mount table does not tell on which file system ${path} is.`,
  };
}
