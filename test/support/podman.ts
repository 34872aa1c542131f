// podman as a user without rights has it: no systemd, low limits, no overlay for its storage.
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRoot, needPackages, runAs, type User } from './machine.ts';

/** The variables with which podman works below `place`, a folder of the user; throws where it can't be had. */
export async function openPodman(user: User, place: string): Promise<Record<string, string>> {
  needPackages('podman', 'runc', 'uidmap');
  const variables = {
    HOME: join(place, 'home'),
    XDG_RUNTIME_DIR: join(place, 'runtime'),
    CONTAINERS_CONF: join(place, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: join(place, 'storage.conf'),
  };
  for (const folder of [place, variables.HOME, variables.XDG_RUNTIME_DIR]) {
    mkdirSync(folder, { recursive: true });
    if (isRoot) chownSync(folder, user.uid, user.gid);
  }
  const limits = 'default_ulimits=["nofile=1024:1024","nproc=4096:4096"]';
  writeFileSync(
    variables.CONTAINERS_CONF,
    `[engine]\ncgroup_manager="cgroupfs"\nruntime="runc"\nevents_logger="file"\n[containers]\n${limits}\n`,
  );
  writeFileSync(
    variables.CONTAINERS_STORAGE_CONF,
    `[storage]\ndriver="vfs"\nrunroot="${place}/runroot"\ngraphroot="${place}/graph"\n`,
  );
  const { code, stderr } = await runAs(user, 'timeout', ['60', 'podman', 'info'], { env: variables });
  if (code !== 0) throw new Error(`podman does not work here: ${stderr.trim().split('\n').at(-1)}`);
  return variables;
}
