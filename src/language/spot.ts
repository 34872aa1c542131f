/** What stands at a place of a document, in the words of the schema. */
import type { Version } from '#cwl/model.ts';
import { type Entry, fieldOf, type MapNode, type Node, textOf } from '#cwl/node.ts';
import { toRequirementClass } from '#cwl/read-requirement.ts';
import { type FieldRule, type RecordRule, type Shape, shapesOf } from '#cwl/schema.ts';
import { processClasses, rules } from '#cwl/schema-processes.ts';
import { requirementRules } from '#cwl/schema-requirements.ts';

export interface Spot {
  /** Name of the rule for the innermost map; absent where the document does not say what it is. */
  record?: string;
  map?: MapNode;
  /** The field whose key or value is at the place. */
  field?: string;
  entry?: Entry;
  /** True on the key, false on the value. */
  isKey: boolean;
  /** What the value, or the map around the key, may be. */
  shapes: readonly Shape[];
  /** The scalar at the place. */
  value?: Node;
  /** Processes around the place, the innermost last. */
  processes: MapNode[];
  /** The step around the place. */
  step?: MapNode;
}

/** Descends from `root` to `offset`. */
export function findSpot(root: Node, offset: number): Spot {
  const version = (textOf(fieldOf(root, 'cwlVersion')) ?? 'v1.2') as Version;
  const finder = new Finder(offset, version);
  finder.enterProcess(root);
  return finder.spot;
}

/** The rule of a field, if the record has it. */
export function fieldRuleOf(record: string, field: string): FieldRule | undefined {
  const { fields } = rules[record] as RecordRule;
  return Object.hasOwn(fields, field) ? fields[field] : undefined;
}

class Finder {
  readonly spot: Spot = { isKey: false, shapes: [], processes: [] };
  readonly #offset: number;
  readonly #version: Version;

  constructor(offset: number, version: Version) {
    this.#offset = offset;
    this.#version = version;
  }

  enterProcess(node: Node): void {
    const graph = fieldOf(node, '$graph');
    const packed = node.kind === 'list' ? node : graph?.kind === 'list' && this.#isIn(graph) ? graph : undefined;
    if (packed) {
      const item = packed.items.find(each => this.#isIn(each));
      if (item) this.enterProcess(item);
      return;
    }
    if (node.kind !== 'map') return;
    const name = textOf(fieldOf(node, 'class'));
    this.spot.processes.push(node);
    this.#enterRecord(node, name !== undefined && processClasses.includes(name) ? name : undefined);
  }

  #enterRecord(map: MapNode, record: string | undefined): void {
    Object.assign(this.spot, { record, map, field: undefined, entry: undefined, value: undefined });
    if (record === 'WorkflowStep') this.spot.step = map;
    const found = this.#findEntry(map);
    if (!found) return;
    const [field, entry] = found;
    Object.assign(this.spot, { field, entry, isKey: this.#isIn(entry.key) });
    const rule = record === undefined ? undefined : fieldRuleOf(record, field);
    this.spot.shapes = rule ? shapesOf(rule, this.#version) : [];
    if (!this.spot.isKey) this.#enterValue(entry.value, this.spot.shapes);
  }

  #enterValue(node: Node, shapes: readonly Shape[]): void {
    this.spot.shapes = shapes;
    if (node.kind === 'scalar') {
      this.spot.value = node;
      return;
    }
    for (const shape of shapes) {
      if (typeof shape === 'object') {
        if ('list' in shape && node.kind === 'list') {
          this.#enterItem(node.items, [shape.list].flat() as Shape[]);
          return;
        }
        if ('record' in shape && node.kind === 'map') {
          this.#enterRecord(node, shape.record);
          return;
        }
        if ('elements' in shape) {
          this.#enterElements(node, shape);
          return;
        }
      } else if (shape === 'process') {
        this.enterProcess(node);
        return;
      } else if (shape === 'type') {
        this.#enterType(node);
        return;
      } else if (shape === 'requirements' || shape === 'hints') {
        this.#enterRequirements(node);
        return;
      } else if (shape === 'secondaryFile' && node.kind === 'map') {
        this.#enterRecord(node, 'SecondaryFileSchema');
        return;
      } else if (shape === 'file' && node.kind === 'map') {
        const name = textOf(fieldOf(node, 'class'));
        this.#enterRecord(node, name === 'Directory' ? name : 'File');
        return;
      }
    }
  }

  #enterItem(items: Node[], shapes: readonly Shape[]): void {
    const item = items.find(each => this.#isIn(each));
    if (item) this.#enterValue(item, shapes);
  }

  #enterElements(node: Node, shape: Extract<Shape, { elements: string }>): void {
    if (node.kind === 'list') {
      this.#enterItem(node.items, [{ record: shape.elements }]);
      return;
    }
    if (node.kind !== 'map') return;
    const found = this.#findEntry(node);
    Object.assign(this.spot, { record: undefined, map: node, field: found?.[0], entry: found?.[1], shapes: [shape] });
    if (!found) return;
    const [, entry] = found;
    this.spot.isKey = this.#isIn(entry.key);
    if (this.spot.isKey) return;
    if (shape.elements === 'WorkflowStep' && entry.value.kind === 'map') this.spot.step = entry.value;
    if (entry.value.kind === 'map') {
      this.#enterRecord(entry.value, shape.elements);
      return;
    }
    const rule =
      shape.predicate === undefined ? undefined : (rules[shape.elements] as RecordRule).fields[shape.predicate];
    // A value that is no map stands for the field of the predicate.
    Object.assign(this.spot, { record: shape.elements, field: shape.predicate });
    if (rule) this.#enterValue(entry.value, shapesOf(rule, this.#version));
  }

  #enterRequirements(node: Node): void {
    if (node.kind === 'list') {
      const item = node.items.find(each => this.#isIn(each));
      if (item?.kind !== 'map') return;
      const key = fieldOf(item, 'class');
      const name = key ? toRequirementClass({ id: textOf(key), key, node: item }) : undefined;
      this.#enterRecord(item, name !== undefined && Object.hasOwn(requirementRules, name) ? name : undefined);
      // Without a class it is known at least what a class it should have.
      if (this.spot.record === undefined) this.spot.shapes = ['requirements'];
      return;
    }
    if (node.kind !== 'map') return;
    const found = this.#findEntry(node);
    Object.assign(this.spot, {
      record: undefined,
      map: node,
      field: found?.[0],
      entry: found?.[1],
      shapes: ['requirements'],
    });
    if (!found) return;
    const [id, entry] = found;
    this.spot.isKey = this.#isIn(entry.key);
    const name = toRequirementClass({ id, key: entry.key, node: entry.value });
    if (this.spot.isKey || entry.value.kind !== 'map') return;
    this.#enterRecord(entry.value, name !== undefined && Object.hasOwn(requirementRules, name) ? name : undefined);
  }

  #enterType(node: Node): void {
    if (node.kind === 'list') {
      this.#enterItem(node.items, ['type']);
      return;
    }
    const kind = textOf(fieldOf(node, 'type'));
    const record = kind === 'enum' ? 'EnumSchema' : kind === 'array' ? 'ArraySchema' : 'RecordSchema';
    if (node.kind === 'map') this.#enterRecord(node, record);
  }

  #findEntry(map: MapNode): [string, Entry] | undefined {
    return [...map.entries].find(([, { key, value }]) => this.#isIn(key) || this.#isIn(value));
  }

  #isIn({ start, end }: { start: number; end: number }): boolean {
    return start <= this.#offset && this.#offset <= end;
  }
}
