/** What the view *Clusters* shows below a cluster: the nodes on which the helper was used, and what they offer. */
import type { NodeFinding, NodeReport } from '#protocol/probe.ts';
import { formatDuration } from './format.ts';
import type { Look } from './run-tree.ts';

/** `login`: the node that the connection leads to. Milliseconds since 1970. */
export function describeNode(node: NodeReport, login: string, now: number): Look {
  const age = formatDuration(now - Date.parse(node.tested));
  const place = node.hostname === login && node.job === undefined ? 'login node' : (node.job ?? '');
  return {
    label: node.hostname,
    ...lookOf(node.best),
    description: [describeEngine(node.best), place, `tested ${age} ago`].filter(Boolean).join(' · '),
    context: 'node',
  };
}

export function describeFinding({ what, isGood, message }: NodeFinding): Look {
  const look = isGood
    ? { icon: 'check', color: 'testing.iconPassed' }
    : { icon: 'info', color: 'list.warningForeground' };
  return { label: what, ...look, description: message, context: 'finding' };
}

/** What it means for a person that images run with this engine. */
export function describeEngine(engine: string | undefined): string {
  if (engine === undefined) return 'images can’t be run';
  if (engine === 'userns') return 'images run at full speed';
  return engine === 'proot-slow' ? 'images run slowly (PRoot)' : 'images run with PRoot';
}

function lookOf(engine: string | undefined): Pick<Look, 'icon' | 'color'> {
  if (engine === undefined) return { icon: 'error', color: 'list.errorForeground' };
  if (engine === 'proot-slow') return { icon: 'warning', color: 'list.warningForeground' };
  return { icon: 'pass', color: 'testing.iconPassed' };
}
