import { Failure } from '#base/failure.ts';
import type { Descriptor } from './manifest.ts';

/** What an image was built for, in the words of Go: `linux`, `amd64`, `v7`. */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

const architectures: Partial<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** Of this machine. */
export function findHostPlatform(): Platform {
  return { os: 'linux', architecture: architectures[process.arch] ?? process.arch };
}

/** Reads `linux/arm64`, `arm64` or `linux/arm/v7`. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  if (parts.length === 1) parts.unshift('linux');
  const [os, architecture, variant] = parts;
  if (os !== 'linux' || !architecture || parts.length > 3) {
    throw new Failure('image/invalid-platform', `${JSON.stringify(text)} is no platform`, {
      hint: 'Write it as linux/amd64 or linux/arm/v7.',
    });
  }
  return { os, architecture, ...(variant && { variant }) };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/');
}

/** The entry of an index for `wanted`: same architecture, and the best variant that it can run. */
export function choosePlatform(entries: readonly Descriptor[], wanted: Platform, name: string): Descriptor {
  let best: Descriptor | undefined;
  let bestRank = -1;
  for (const entry of entries) {
    const rank = rankOf(entry.platform, wanted);
    if (rank > bestRank) [best, bestRank] = [entry, rank];
  }
  if (best) return best;
  const known = entries.filter(each => each.platform && each.platform.os !== 'unknown');
  const list = known.map(each => formatPlatform(each.platform as Platform)).join(', ');
  throw new Failure('image/no-platform', `${name} has no image for ${formatPlatform(wanted)}`, {
    hint: list ? `It has ${list}. Choose one with --platform.` : 'Its index names no platform.',
  });
}

/** -1: does not run there. */
function rankOf(offered: Platform | undefined, wanted: Platform): number {
  if (!offered || offered.os !== wanted.os || offered.architecture !== wanted.architecture) return -1;
  const [has, want] = [variantOf(offered), variantOf(wanted)];
  return has > want ? -1 : has;
}

/** A number that grows with what the machine must be able to do; a machine with no variant named is taken as usual. */
function variantOf({ architecture, variant }: Platform): number {
  const usual: Partial<Record<string, number>> = { arm64: 8, arm: 7, amd64: 1 };
  const number = Number(/^v(\d+)/.exec(variant ?? '')?.[1] ?? Number.NaN);
  return Number.isNaN(number) ? (usual[architecture] ?? 0) : number;
}
