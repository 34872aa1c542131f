// What the demo has beside the product: a registry that stands for quay.io, and a host that one can only log in to.
import { join } from 'node:path';
import { type Registry, startRegistry } from '../../test/support/registry.ts';
import { noSshd, type Sshd, startSshd } from '../../test/support/sshd.ts';
import { fetchData } from './data.ts';
import { makeImages } from './images.ts';

export const root = join(import.meta.dirname, '..', '..');
/** All that the demo makes; nothing in it is committed. */
export const folder = join(root, 'build', 'demo');

export interface Stage {
  registry: Registry;
  /** Undefined where no SSH server can be started; `noSshd` says why. */
  sshd: Sshd | undefined;
  close(): Promise<void>;
}

/** Fetches and makes what is missing, then starts the servers. `tell` hears what takes time. */
export async function openStage(tell: (what: string) => void): Promise<Stage> {
  if (await fetchData(join(folder, 'data'))) tell('reads and genome of the lambda phage are in build/demo/data');
  const images = join(folder, 'images');
  if (await makeImages(images, what => tell(`making an image: ${what}`))) tell('images are in build/demo/images');
  const registry = await startRegistry({ folder: images });
  tell(`a registry that stands for quay.io listens on ${registry.host}`);
  const sshd = noSshd ? undefined : await startSshd();
  if (sshd) tell(`an SSH server for the user ${sshd.user.name} listens on ${sshd.host}:${sshd.port}`);
  return {
    registry,
    sshd,
    async close() {
      await sshd?.stop();
      await registry.stop();
    },
  };
}
