import { isOlder } from '#base/kernel-release.ts';
import { type EngineTest, type Features, formatCost } from './self-test.ts';

/** What a node's settings say of what a user may do there; undefined where they can't be read, or the kernel has none. */
export interface NodeSettings {
  /** `3.10.0-1160.el7.x86_64`. */
  kernel: string;
  /** sysctl user.max_user_namespaces. */
  maxUserNamespaces: number | undefined;
  /** sysctl kernel.unprivileged_userns_clone, of Debian's kernels. */
  unprivilegedClone: number | undefined;
  /** sysctl kernel.apparmor_restrict_unprivileged_userns, of Ubuntu's. */
  apparmorUserns: number | undefined;
  /** sysctl kernel.yama.ptrace_scope. */
  ptraceScope: number | undefined;
  /** /sys/kernel/security/lsm. */
  securityModules: string[] | undefined;
  /** `docker`, `apptainer`: what this process is inside of. */
  container: string | undefined;
  /** True where a seccomp filter is set on this process already. */
  isFiltered: boolean;
  /** Folders of the helper on file systems that are mounted noexec. */
  noexec: string[];
}

/** One thing that matters for running tools, as it is on a node. */
export interface Finding {
  what: string;
  isGood: boolean;
  /** For a person: how it is, what follows from it, and what can be done. */
  message: string;
}

/**
 * What the tests of the engines mean, with causes from the settings: a setting alone proves nothing, and is only told of
 * where a test has failed.
 */
export function explainNode(
  settings: NodeSettings,
  report: { features: Features; engines: readonly EngineTest[]; hostStatCost?: number },
): Finding[] {
  const find = (...names: string[]) => report.engines.find(each => names.includes(each.engine) && each.works);
  const fast = find('proot', 'proot-new-order');
  const traced = fast ?? find('proot-slow');
  const said = (name: string) => report.engines.find(each => each.engine === name)?.message ?? '';
  return [
    explainUserNamespaces(settings, find('userns') !== undefined, traced !== undefined, said('userns')),
    explainTracing(settings, traced !== undefined, said('proot-slow') || said('proot')),
    explainAcceleration(settings, report.features, fast, traced),
    explainLandlock(settings, report.features.landlock),
    explainNoexec(settings.noexec),
    explainKernel(settings.kernel),
    ...explainCost(report.engines, report.hostStatCost),
  ];
}

function explainUserNamespaces(settings: NodeSettings, works: boolean, isTraced: boolean, said: string): Finding {
  const what = 'user namespaces';
  if (works) return { what, isGood: true, message: 'work: tools run at the speed of the node' };
  const reason = findUserNamespaceReason(settings) ?? said.replace(/^userns: /, '');
  return {
    what,
    isGood: false,
    message:
      reason + (isTraced ? ' PRoot is used instead, which needs none and takes longer over many small files.' : ''),
  };
}

function findUserNamespaceReason(settings: NodeSettings): string | undefined {
  const { kernel, maxUserNamespaces, unprivilegedClone, apparmorUserns, container } = settings;
  if (isOlder(kernel, '3.8')) return `Linux ${kernel} has none; systems from RHEL 8 on have them.`;
  if (maxUserNamespaces === 0) {
    return 'are switched off (user.max_user_namespaces is 0). An administrator can allow them: `sysctl user.max_user_namespaces=15000`.';
  }
  if (unprivilegedClone === 0) {
    return 'are for administrators only. One can allow them: `sysctl kernel.unprivileged_userns_clone=1`.';
  }
  if (apparmorUserns === 1) {
    return 'are refused by AppArmor. An administrator can allow them: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or a profile with `userns,` for the program `userns` of the helper.';
  }
  if (container !== undefined) {
    return `are not given here, perhaps because this is inside of ${container}: try outside of it, or start it with another seccomp profile.`;
  }
  return undefined;
}

function explainTracing({ ptraceScope, container }: NodeSettings, works: boolean, said: string): Finding {
  const what = 'tracing (ptrace)';
  const scope = ptraceScope === undefined ? '' : ` (kernel.yama.ptrace_scope is ${ptraceScope})`;
  if (works) return { what, isGood: true, message: `is allowed${scope}, so PRoot works` };
  if (ptraceScope !== undefined && ptraceScope > 1) {
    return {
      what,
      isGood: false,
      message: `is for administrators only${scope}, so PRoot can't work. One can allow it: \`sysctl kernel.yama.ptrace_scope=1\`, which lets nobody trace programs that are not their own children.`,
    };
  }
  const reason = said.replace(/^proot(-slow)?: /, '');
  if (!reason.startsWith('tracing'))
    return { what, isGood: false, message: `is not known, as PRoot does not work: ${reason}` };
  const place = container === undefined ? '' : ` This is inside of ${container}, which may be what forbids it.`;
  return { what, isGood: false, message: `${reason.replace(/^tracing \(ptrace\) /, '')}${place}` };
}

function explainAcceleration(
  { kernel, isFiltered, container }: NodeSettings,
  features: Features,
  fast: EngineTest | undefined,
  traced: EngineTest | undefined,
): Finding {
  const what = 'seccomp acceleration of PRoot';
  if (fast) return { what, isGood: true, message: 'works: only system calls that name files are slower' };
  if (!features.seccomp) {
    const message = isOlder(kernel, '3.5')
      ? `is not in Linux ${kernel}, and neither are filters of system calls, without which nothing is run safely. Linux 3.5, or that of RHEL 6 from 2.6.32-431 on, has them.`
      : 'is refused, and so are all filters of system calls (seccomp), without which nothing is run safely. It may be what this shell was started by that forbids them: try outside of it.';
    return { what, isGood: false, message };
  }
  if (!traced) return { what, isGood: false, message: 'is not known, as PRoot does not work' };
  const where = container ?? (isFiltered ? 'what has started this shell' : undefined);
  const cure =
    where === undefined
      ? 'An administrator can update the kernel, or allow user namespaces, which need no PRoot.'
      : `It may be ${where} that forbids it: try outside of it.`;
  const cost = traced.statCost === undefined ? '' : ` (${formatCost(traced.statCost)} each)`;
  return {
    what,
    isGood: false,
    message: `is refused: PRoot stops at every system call${cost}, and tools that read and write in small pieces take many times as long. ${cure}`,
  };
}

function explainLandlock({ kernel, securityModules }: NodeSettings, version: number): Finding {
  const what = 'Landlock';
  if (version >= 3)
    return { what, isGood: true, message: 'works: the kernel keeps tools to their files under PRoot too' };
  const isOff = !isOlder(kernel, '5.13') && securityModules?.includes('landlock') === false;
  const reason = isOff
    ? 'is switched off. An administrator can switch it on: `landlock` in the boot parameter `lsm=`.'
    : version > 0
      ? `of this kernel is too old (version ${version}; Linux 6.2 has version 3).`
      : isOlder(kernel, '6.2')
        ? 'is not in this kernel (it is from Linux 6.2 on).'
        : 'is left out of this kernel, or forbidden to what runs here.';
  const consequence =
    'Under PRoot, inputs and images are looked at after each step instead, and changes fail the step.';
  return { what, isGood: false, message: `${reason} ${consequence}` };
}

function explainNoexec(folders: readonly string[]): Finding {
  const what = 'programs in the folders of the helper';
  if (folders.length === 0) return { what, isGood: true, message: 'can be run' };
  return {
    what,
    isGood: false,
    message: `can't be run in ${folders.join(' and ')}: the file system is mounted noexec. Choose another place for the helper (folder of the cluster, CWL_ON_CLUSTERS_HOME) or for images (imageStore, --image-store).`,
  };
}

function explainKernel(kernel: string): Finding {
  const what = 'kernel';
  if (!isOlder(kernel, '4.4'))
    return { what, isGood: true, message: `Linux ${kernel} is new enough for today's images` };
  return {
    what,
    isGood: false,
    message: `Linux ${kernel} is old. Images whose C library asks for a newer one run with PRoot, which names one; what the kernel itself lacks, no program can have.`,
  };
}

function explainCost(engines: readonly EngineTest[], host: number | undefined): Finding[] {
  const costs = engines.flatMap(({ engine, works, statCost }) =>
    works && statCost !== undefined ? [`${formatCost(statCost)} with ${engine}`] : [],
  );
  if (costs.length === 0) return [];
  const own = host === undefined ? [] : [`${formatCost(host)} without a sandbox`];
  return [{ what: 'a look at a file (stat)', isGood: true, message: `takes ${[...own, ...costs].join(', ')}` }];
}
