import type { Answer, Query } from '#base/command.ts';
import type { Engine, Sandbox } from './sandbox.ts';

/** What the launcher found out about this kernel by asking it. */
export interface Features {
  seccomp: boolean;
  /** Version of Landlock's interface; 0 where there is none. */
  landlock: number;
  networkNamespaces: boolean;
}

/** Asks the kernel through `launcher`; all is absent where it does not even start. */
export function planFeatures(launcher: string): Query<Features> {
  return {
    argv: [launcher, '--features'],
    env: {},
    parse({ stdout }) {
      const values = parseNumbers(stdout);
      return {
        seccomp: values.seccomp === 1,
        landlock: values.landlock ?? 0,
        networkNamespaces: values['network-namespace'] === 1,
      };
    },
  };
}

/** The small root file system that a self-test runs in; whoever runs the test makes it. */
export interface SelfTestFiles {
  /** Holds the launcher as `/self-test` and a readable file `/inside`. */
  rootfs: string;
  /** A readable file of the host that no sandbox is given. */
  outside: string;
  temporary: string;
}

export interface SelfTestResult {
  works: boolean;
  /** For a person: what was seen, and the cure where it does not work. */
  message: string;
  /** Nanoseconds for one stat(2) inside. */
  statCost?: number;
  /** It may have failed because of what else the node does just now. */
  isPassing?: boolean;
}

/** An engine and what its self-test said. */
export interface EngineTest extends SelfTestResult {
  engine: string;
}

/** The same test outside of any sandbox: nanoseconds for one stat(2), to compare with; undefined where it does not run. */
export function planHostCost(launcher: string, files: SelfTestFiles): Query<number | undefined> {
  return {
    argv: [launcher, '--self-test', files.outside, files.outside],
    env: {},
    cwd: files.temporary,
    parse({ stdout }) {
      const { stat } = parseNumbers(stdout);
      return stat !== undefined && stat >= 0 ? stat : undefined;
    },
  };
}

/** Runs the launcher's self-test inside `engine`: nothing is believed that was not seen. */
export function planSelfTest(engine: Engine, files: SelfTestFiles): Query<SelfTestResult> {
  const sandbox: Sandbox = {
    rootfs: files.rootfs,
    binds: [],
    cwd: '/',
    env: {},
    argv: ['/self-test', '--self-test', '/inside', files.outside],
    network: false,
  };
  return {
    ...engine.planCommand(sandbox, files.temporary),
    parse: answer => judgeSelfTest(engine, answer),
  };
}

/** What is to be thought of an engine in which a self-test has answered so. */
export function judgeSelfTest(engine: Engine, { stdout, stderr, exit }: Answer): SelfTestResult {
  return exit.code === 0
    ? judge(engine, parseNumbers(stdout))
    : {
        works: false,
        message: explain(engine.name, stderr),
        ...(/no answer within|temporarily unavailable|Cannot allocate memory/.test(stderr) && { isPassing: true }),
      };
}

function judge(engine: Engine, seen: Record<string, number>): SelfTestResult {
  if (seen.outside !== 0 || seen.untranslated !== 0) {
    return { works: false, message: `${engine.name}: a program inside saw a file of the host, so it is not used` };
  }
  if (seen.inside !== 1) return { works: false, message: `${engine.name}: a program inside did not see its own root` };
  if (engine.rules.rootfs === 'kernel' && seen.write !== 0) {
    return { works: false, message: `${engine.name}: a program inside could write into the image` };
  }
  const statCost = seen.stat !== undefined && seen.stat >= 0 ? seen.stat : undefined;
  return { works: true, message: describe(engine, statCost), statCost };
}

function describe(engine: Engine, statCost: number | undefined): string {
  const cost = statCost === undefined ? '' : ` (a look at a file takes ${formatCost(statCost)})`;
  const guard =
    engine.rules.inputs === 'kernel'
      ? 'inputs and image are read-only by the kernel'
      : `inputs ${engine.rules.rootfs === 'checked' ? 'and image ' : ''}are checked after each step, as the kernel cannot protect them`;
  if (engine.name === 'userns') return `user namespaces work: native speed${cost}; ${guard}`;
  if (!engine.name.startsWith('proot')) {
    return `${engine.name} works${cost}; ${guard}${engine.warning ? `. ${engine.warning}` : ''}`;
  }
  if (engine.name !== 'proot-slow') return `PRoot works, with seccomp acceleration${cost}; ${guard}`;
  return `PRoot works without seccomp acceleration: programs that read and write much are slow${cost}; ${guard}`;
}

/** What the programs of the kit say when they fail, and what to do then. */
const cures: { said: RegExp; cause: string; cure: string }[] = [
  {
    said: /Cannot connect to the Docker daemon|docker API at|docker daemon socket|Is the docker daemon running/i,
    cause: 'no Docker daemon answers to this user',
    cure: 'An administrator can start it and admit you (group docker), or install podman, which needs no daemon. --engine auto needs neither.',
  },
  {
    said: /newuidmap|newgidmap|subuid|subgid|insufficient UIDs|not enough unused IDs/i,
    cause: 'this user has no range of user ids of its own',
    cure: 'An administrator can give one in /etc/subuid and /etc/subgid (usermod --add-subuids, --add-subgids), and install newuidmap.',
  },
  {
    said: /cgroup/i,
    cause: 'its control groups cannot be used here',
    cure: 'In containers.conf, cgroup_manager = "cgroupfs" works in a session without systemd.',
  },
  {
    said: /rlimit/i,
    cause: 'it wants higher limits than this user may have',
    cure: 'Set default_ulimits in containers.conf to what `ulimit -Hn` and `ulimit -Hu` say.',
  },
  {
    said: /gives no user namespace/,
    cause: 'this node gives no user namespaces to users',
    cure: 'An administrator can allow them: user.max_user_namespaces (RHEL 7), kernel.unprivileged_userns_clone (Debian), kernel.apparmor_restrict_unprivileged_userns (Ubuntu).',
  },
  {
    said: /userns: (?:making the mounts private|mounting a tmpfs|changing the root|making \S+ read-only)/,
    cause: 'user namespaces exist, but nothing can be mounted in them',
    cure: 'An administrator can allow it: kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), or another policy of the security module.',
  },
  {
    said: /mounting \/proc/,
    cause: 'user namespaces cannot mount /proc here, as in a container whose /proc is partly hidden',
    cure: 'Nothing needs to be done: PRoot is used.',
  },
  {
    said: /uid_map|gid_map|setgroups/,
    cause: 'user namespaces exist, but their users cannot be set here',
    cure: 'Nothing needs to be done: PRoot is used.',
  },
  {
    said: /ptrace\(/,
    cause: 'tracing (ptrace) is forbidden on this node',
    cure: 'Ask the administrator for kernel.yama.ptrace_scope of 0 or 1, or, inside a container, for the capability SYS_PTRACE.',
  },
  {
    said: /escape guard|seccomp filter/,
    cause: 'the kernel refused a seccomp filter',
    cure: 'Linux 3.5, or RHEL 6 with kernel 2.6.32-431, is the oldest that can run a tool safely.',
  },
  {
    said: /Permission denied|noexec/,
    cause: 'programs cannot be executed from the folder of the helper, perhaps because it is mounted noexec',
    cure: 'Choose another folder for the helper in the settings of the cluster.',
  },
  {
    said: /No space left|Disk quota exceeded/,
    cause: 'there is no space left',
    cure: 'Free some space, or choose another folder for the helper in the settings of the cluster.',
  },
];

function explain(name: string, stderr: string): string {
  return `${name}: ${explainClient(stderr)}`;
}

/** What a program said when it could not do its part: the cause, its last words, and the cure where that is known. */
export function explainClient(stderr: string): string {
  const lines = stderr.trim().split('\n');
  const known = cures.find(each => each.said.test(stderr));
  // The line that tells the cause; much that follows from it may stand below.
  const telling = known && lines.find(line => known.said.test(line))?.trim();
  const said = (telling ?? lines.slice(-3).join('; ')) || 'ended without a word';
  return known ? `${known.cause} (${said}). ${known.cure}` : `does not work here: ${said}`;
}

function parseNumbers(text: string): Record<string, number> {
  return Object.fromEntries([...text.matchAll(/([a-z-]+)=(-?\d+)/g)].map(match => [match[1], Number(match[2])]));
}

/** `0.9 µs`. */
export function formatCost(value: number): string {
  return value < 10_000 ? `${(value / 1000).toFixed(1)} µs` : `${Math.round(value / 1000)} µs`;
}
