// Layers of a few members by chance: as tools write them, and as nobody should.
import { Layer } from '../support/tar.ts';

/** Over the paths a..c/a..c/a..c, each directory before what is in it, as tools write layers. */
export function makeLayer(random: () => number): Layer {
  const layer = new Layer();
  const directories = new Set<string>();
  const taken = new Set<string>();
  const files: string[] = [];
  const name = () => 'abc'[random() % 3] as string;
  const modes = [0o755, 0o700, 0o555, 0o500, 0o711];
  for (let i = 0; i < 1 + (random() % 10); i++) {
    const parts = Array.from({ length: 1 + (random() % 3) }, name);
    const parents = parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'));
    const path = parts.join('/');
    if (taken.has(path) || parents.some(parent => taken.has(parent) && !directories.has(parent))) continue;
    for (const parent of parents) {
      if (!directories.has(parent)) layer.directory(parent, modes[random() % modes.length]);
      directories.add(parent);
      taken.add(parent);
    }
    taken.add(path);
    const kind = random() % 10;
    if (kind < 4) {
      layer.file(path, `${random()}`, [0o644, 0o400, 0, 0o755][random() % 4]);
      files.push(path);
    } else if (kind < 6) {
      layer.directory(path, modes[random() % modes.length]);
      directories.add(path);
    } else if (kind < 7) layer.symlink(path, random() % 2 ? name() : `/${name()}/../../${name()}`);
    else if (kind < 8 && files.length > 0) layer.hardlink(path, files[random() % files.length] as string);
    else if (kind < 9) layer.whiteout(path);
    else if (parents.length > 0) layer.opaque(parents.at(-1) as string);
  }
  return layer;
}

/**
 * As no tool writes them: names come twice, children before their directories or without them, below files and through
 * links that lead in and out, hard links to whatever is `known` of this layer and the lower ones.
 */
export function makeWildLayer(random: () => number, known: string[], outside: string): Layer {
  const layer = new Layer();
  const name = () => 'abc'[random() % 3] as string;
  const modes = [0o755, 0o700, 0o555, 0];
  for (let i = 0; i < 1 + (random() % 8); i++) {
    const parts = Array.from({ length: 1 + (random() % 3) }, name);
    const path = parts.join('/');
    const kind = random() % 12;
    if (kind < 4) layer.file(path, `${random()}`, modes[random() % 4]);
    else if (kind < 6) layer.directory(path, modes[random() % 4]);
    else if (kind < 8) {
      const targets = [name(), `/${name()}`, `../${name()}`, `/${name()}/../../${name()}`, `${'../'.repeat(9)}tmp`];
      layer.symlink(path, [...targets, outside][random() % 6] as string);
    } else if (kind < 10 && known.length > 0) layer.hardlink(path, known[random() % known.length] as string);
    else if (kind < 11) layer.whiteout(path);
    else layer.opaque(path);
    if (kind < 8) known.push(path);
  }
  return layer;
}
