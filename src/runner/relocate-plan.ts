import { dirname, join } from 'node:path';
import { mapPaths, type PathValue, splitName } from '#cwl/file-value.ts';
import type { Value } from '#cwl/model.ts';
import { pathToReference } from '#cwl/uri.ts';
import { isInside } from './guest-view.ts';
import { toHostPath } from './staging.ts';

/** One thing to put into the output folder. `move` takes it from the run's folder, `copy` leaves it where it is. */
export type Action =
  | { kind: 'move' | 'copy'; source: string; target: string }
  | { kind: 'write'; target: string; text: string }
  | { kind: 'folder'; target: string };

export interface RelocationPlan {
  /** In the order in which they are done. */
  actions: Action[];
  /** The outputs with the locations that they will have. */
  outputs: Record<string, Value>;
}

/**
 * Decides where each output goes, and does nothing. Files of the run's own folder are moved, inputs that are outputs
 * too are copied. Where two outputs have the same name, the second gets a number, with its secondary files.
 */
export function planRelocation(
  outputs: Record<string, Value>,
  options: { run: string; outdir: string; how?: 'move' | 'copy' },
): RelocationPlan {
  const planner = new Planner(options.run, options.how ?? 'move');
  const changed = mapPaths(outputs, value => planner.place(value, options.outdir));
  return { actions: planner.sorted(), outputs: changed as Record<string, Value> };
}

class Planner {
  readonly #runFolder: string;
  /** What is done with files of the run's own folder. */
  readonly #how: 'move' | 'copy';
  readonly #actions: Action[] = [];
  /** Target to source, undefined for literals. */
  readonly #taken = new Map<string, string | undefined>();

  /** The number that a name was last given, by its target; and that of each file, by target and source. */
  readonly #numbers = new Map<string, number>();

  constructor(runFolder: string, how: 'move' | 'copy') {
    this.#runFolder = runFolder;
    this.#how = how;
  }

  place(value: PathValue, folder: string): PathValue {
    const group = [value, ...(value.class === 'File' ? (value.secondaryFiles ?? []) : [])];
    const wanted = join(folder, value.basename ?? '');
    const own = `${wanted}\0${toHostPath(value) ?? ''}`;
    for (let number = this.#numbers.get(own) ?? this.#numbers.get(wanted) ?? 1; ; number++) {
      const names = group.map(each => rename(each, value, number));
      if (!group.every((each, i) => this.#isFree(join(folder, names[i]!), each))) continue;
      this.#numbers.set(own, number);
      if (number > (this.#numbers.get(wanted) ?? 1)) this.#numbers.set(wanted, number);
      const [first, ...rest] = group.map((each, i) => this.#put(each, folder, names[i]!));
      return first!.class === 'File' && rest.length > 0 ? { ...first!, secondaryFiles: rest } : first!;
    }
  }

  /** Copies go first, then moves from the inside out: what a moved directory holds is gone from where it was. */
  sorted(): Action[] {
    const moved = new Set<string>();
    const actions = this.#actions.map(action => {
      if (action.kind !== 'move') return action;
      const isFirst = !moved.has(action.source);
      moved.add(action.source);
      return isFirst ? action : { ...action, kind: 'copy' as const };
    });
    const order = (action: Action) =>
      action.kind === 'folder' || action.kind === 'write' ? 0 : action.kind === 'copy' ? 1 : 2;
    const isInner = (action: Action) => action.kind === 'move' && this.#hasParent(action.source, moved);
    return actions
      .map(action => (isInner(action) ? ({ ...action, kind: 'copy' } as Action) : action))
      .sort((a, b) => order(a) - order(b));
  }

  #hasParent(path: string, folders: ReadonlySet<string>): boolean {
    for (let at = dirname(path); isInside(at, this.#runFolder); at = dirname(at)) if (folders.has(at)) return true;
    return false;
  }

  #isFree(target: string, value: PathValue): boolean {
    if (!this.#taken.has(target)) return true;
    const source = toHostPath(value);
    return source !== undefined && this.#taken.get(target) === source;
  }

  #put(value: PathValue, folder: string, name: string): PathValue {
    const target = join(folder, name);
    const source = toHostPath(value);
    const isNew = !this.#taken.has(target);
    this.#taken.set(target, source);
    const moved = { ...value, location: pathToReference(target), basename: name };
    if (moved.class === 'File') {
      Object.assign(moved, splitName(name));
      delete moved.secondaryFiles;
      delete moved.contents;
    }
    if (source !== undefined && source !== target && isNew) {
      this.#actions.push({ kind: isInside(source, this.#runFolder) ? this.#how : 'copy', source, target });
    } else if (source === undefined && value.class === 'File') {
      if (isNew) this.#actions.push({ kind: 'write', target, text: value.contents ?? '' });
    } else if (source === undefined && value.class === 'Directory') {
      if (isNew) this.#actions.push({ kind: 'folder', target });
      for (const entry of value.listing ?? []) this.place(entry, target);
    }
    return moved;
  }
}

/** The name of a member of a group: secondary files follow the name of their primary file. */
function rename(value: PathValue, primary: PathValue, number: number): string {
  const name = value.basename ?? 'output';
  if (number === 1) return name;
  const base = primary.basename ?? 'output';
  const { nameroot, nameext } = splitName(base);
  const numbered = `${nameroot}_${number}`;
  if (value === primary) return numbered + nameext;
  if (name.startsWith(base)) return numbered + nameext + name.slice(base.length);
  if (name.startsWith(nameroot)) return numbered + name.slice(nameroot.length);
  const own = splitName(name);
  return `${own.nameroot}_${number}${own.nameext}`;
}
