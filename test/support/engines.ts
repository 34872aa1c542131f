// All engines that can be had on this machine, with those of lesser kernels: without Landlock, without acceleration.
import { existsSync } from 'node:fs';
import { makeApptainerEngine } from '#engine/apptainer-engine.ts';
import { makeDockerEngine } from '#engine/docker-engine.ts';
import type { Engine } from '#engine/sandbox.ts';
import { planFeatures } from '#engine/self-test.ts';
import { makeEngines } from '#helper/self-test.ts';
import { openPodman } from './podman.ts';
import type { Place } from './sandbox.ts';

/** Names of {@link Engines.byName} that are the kit's. */
export const ownEngines = [
  'userns',
  'proot',
  'proot-slow',
  'proot alone',
  'proot-slow alone',
  'userns offline',
  'proot offline',
] as const;

export interface Engines {
  byName: Map<string, Engine>;
  /** Why there is no such engine here. */
  absent: Map<string, string>;
}

/** The kit's engines; `alone` is without Landlock, `offline` is started as the runner does where the network was left before. */
export async function openEngines(place: Place): Promise<Engines> {
  const query = planFeatures(place.tools.launcher);
  const { code, signal, ...answer } = await place.run(query);
  const features = query.parse({ ...answer, exit: { code, signal } });
  const byName = new Map(makeEngines(place.tools, features).map(engine => [engine.name, engine]));
  const absent = new Map<string, string>();
  if (features.landlock >= 2) {
    // As on kernels without Landlock: PRoot alone.
    for (const engine of makeEngines(place.tools, { ...features, landlock: 0 }).slice(1)) {
      byName.set(`${engine.name} alone`, engine);
    }
  } else {
    for (const name of ['proot alone', 'proot-slow alone'])
      absent.set(name, 'this kernel has no Landlock to leave out');
  }
  for (const name of ['userns', 'proot']) byName.set(`${name} offline`, startOffline(byName.get(name) as Engine));
  return { byName, absent };
}

/** Adds the engines that are programs of the host's, as their own users have them. */
export async function addClients({ byName, absent }: Engines, place: Place): Promise<void> {
  const { user } = place;
  try {
    const variables = await openPodman(user, place.makeFolder('podman'));
    const env = { PATH: '/usr/bin:/bin:/usr/sbin', ...variables };
    const client = { program: '/usr/bin/podman', name: 'podman', isKnown: true, isPodman: true, isInPlace: true, env };
    byName.set('podman', makeDockerEngine({ ...client, userns: 'keep-id' }));
  } catch (error) {
    absent.set('podman', (error as Error).message);
  }
  const program = '/usr/bin/apptainer';
  const env = { PATH: '/usr/bin:/bin', HOME: user.home };
  if (!existsSync(program)) absent.set('apptainer', 'apptainer is not installed');
  else byName.set('apptainer', makeApptainerEngine({ program, name: 'apptainer', env }));
}

/** Sandboxes without a network as the runner starts them: the network was left before. */
function startOffline(engine: Engine): Engine {
  const { offlineFront: front } = engine;
  return {
    ...engine,
    planCommand(sandbox, temporary) {
      const isOffline = front !== undefined && !sandbox.network;
      const command = engine.planCommand(sandbox, temporary, { isOffline });
      return isOffline ? { ...command, argv: [...front, ...command.argv] } : command;
    },
  };
}
