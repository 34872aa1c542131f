import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Failure } from '#base/failure.ts';
import type { Kit, KitPiece, Platform } from '#base/kit.ts';

/** A kit on the user's machine, as the product ships it. */
export interface LocalKit extends Kit {
  /** Holds `kit.json`. */
  folder: string;
}

const platforms: Platform[] = ['linux-x64', 'linux-arm64'];

/** The kits below `folder` (`dist/kit`), one per platform. Throws a Failure where there is none. */
export async function loadKits(folder: string): Promise<LocalKit[]> {
  const kits: LocalKit[] = [];
  for (const platform of platforms) {
    try {
      const kit = JSON.parse(await readFile(join(folder, platform, 'kit.json'), 'utf8')) as Kit;
      kits.push({ ...kit, folder: join(folder, platform) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw brokenKit(folder, error);
    }
  }
  if (kits.length === 0) throw brokenKit(folder, undefined);
  return kits;
}

/** The bytes of a piece from `offset` on. */
export function openPiece(kit: LocalKit, piece: KitPiece, offset = 0): Readable {
  return createReadStream(join(kit.folder, piece.source), { start: offset });
}

function brokenKit(folder: string, cause: unknown): Failure {
  return new Failure('remote/no-kit', `there is no kit for clusters in ${folder}`, {
    hint: 'Install the extension again, or run `npm run build` in a checkout.',
    cause,
  });
}
