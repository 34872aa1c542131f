import { constants, copyFileSync, linkSync, lstatSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { findPaths, type PathValue } from '#cwl/file-value.ts';
import type { Value } from '#cwl/model.ts';
import { toLocalPath } from '#cwl/uri.ts';
import { copyTree, isFolder } from './files.ts';
import { type GuestView, isInside } from './guest-view.ts';

/**
 * Makes the outputs of a task mean the same outside of it: directories keep what the task saw in them (links that held
 * only in its sandbox, files that were bound there), and no value has a `path` any more.
 */
export async function settleOutputs(outputs: Record<string, Value>, view: GuestView): Promise<void> {
  for (const value of findPaths(outputs)) await settle(value, view);
}

async function settle(value: PathValue, view: GuestView): Promise<void> {
  const { path } = value;
  if (value.class === 'Directory' && path !== undefined && value.location !== undefined) {
    const host = toLocalPath(value.location);
    const found = view.resolve(path);
    // What was bound as a whole is an input, and stays as it is.
    if (found && found.host === host && !isBound(view, found.guest)) await settleFolder(found.guest, found.host, view);
  }
  delete value.path;
  if (value.class === 'File') {
    delete value.dirname;
    if (value.location !== undefined) delete value.contents;
  }
  const parts = value.class === 'File' ? value.secondaryFiles : value.listing;
  for (const part of parts ?? []) await settle(part, view);
}

function isBound(view: GuestView, guest: string): boolean {
  return view.isMount(guest) && !view.isOutdir(guest);
}

async function settleFolder(guest: string, host: string, view: GuestView, top = { guest, host }): Promise<void> {
  for (const name of readdirSync(host)) {
    const [innerGuest, innerHost] = [posix.join(guest, name), join(host, name)];
    const isLink = lstatSync(innerHost).isSymbolicLink();
    if (!isLink && !view.isMount(innerGuest)) {
      if (isFolder(innerHost)) await settleFolder(innerGuest, innerHost, view, top);
      continue;
    }
    const found = view.resolve(innerGuest);
    if (!found) continue;
    rmSync(innerHost, { recursive: true, force: true });
    if (isLink && isInside(found.guest, top.guest)) {
      symlinkSync(relative(host, join(top.host, posix.relative(top.guest, found.guest))), innerHost);
    } else await duplicate(found.host, innerHost, view.isOutput(found.guest));
  }
}

/** A second name for what the task made; a copy of what it was given. */
async function duplicate(source: string, target: string, isOwn: boolean): Promise<void> {
  if (isFolder(source)) return copyTree(source, target);
  if (!isOwn) return copyTree(source, target);
  try {
    linkSync(source, target);
  } catch {
    copyFileSync(source, target, constants.COPYFILE_FICLONE);
  }
}
