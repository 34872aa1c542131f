import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '#base/failure.ts';
import type { Cluster } from './cluster.ts';

/** Codes of failures that say nothing but that the connection is gone. */
const codes = ['ssh/lost', 'remote/disconnected', 'remote/closed'];

/** Milliseconds within which a cluster notices that its connection broke. */
const patience = 5000;

/** Makes another `attempt` each time that a connection which broke during one has come back by itself. */
export async function outliveConnection<T>(
  cluster: Cluster,
  attempt: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (!codes.some(code => isFailure(error, code)) || !(await comesBack(cluster, signal))) throw error;
    }
  }
}

async function comesBack(cluster: Cluster, signal: AbortSignal | undefined): Promise<boolean> {
  let stop = () => {};
  const ended = new Promise<boolean>(resolve => {
    const look = () => {
      const { state } = cluster;
      if (state.kind === 'ready') resolve(true);
      if (state.kind === 'closed' || (state.kind === 'lost' && !state.retrying)) resolve(false);
    };
    stop = cluster.onState(look);
    // Of a transfer's end one hears before the cluster has told of the connection's.
    if (cluster.state.kind === 'ready') void sleep(patience).then(look);
    else look();
    signal?.addEventListener('abort', () => resolve(false), { once: true });
  });
  try {
    return await ended;
  } finally {
    stop();
    signal?.throwIfAborted();
  }
}
