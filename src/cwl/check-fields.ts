/** Whether every field of a document is known, there, and of the right form. Says nothing about what they refer to. */
import type { Problem } from '#base/problem.ts';
import type { Version } from './model.ts';
import { type Entry, fieldOf, isNull, itemsOf, type MapNode, type Node, problemAt, textOf } from './node.ts';
import { expandPrefix } from './parse-text.ts';
import { toRequirementClass } from './read-requirement.ts';
import { isFileNode } from './read-value.ts';
import { elementsOf, isExpression, stringOf } from './reading.ts';
import { type FieldRule, hasFeature, hasField, type RecordRule, type Shape, shapesOf } from './schema.ts';
import { processClasses, rules } from './schema-processes.ts';
import { requirementRules } from './schema-requirements.ts';
import { formatShapes, nameOfNode } from './shape-text.ts';
import { suggest } from './suggest.ts';
import { toShortName } from './uri.ts';

/** The problems of one process and of all that is embedded in it. */
export function checkFields(process: MapNode, version: Version): Problem[] {
  const checker = new FieldChecker(version);
  checker.checkProcess(process);
  return checker.problems;
}

class FieldChecker {
  readonly problems: Problem[] = [];
  readonly #version: Version;

  constructor(version: Version) {
    this.#version = version;
  }

  checkProcess(node: MapNode): void {
    const name = stringOf(node, 'class');
    // Another class is told by whoever reads the process.
    if (name !== undefined && processClasses.includes(name)) this.#checkRecord(node, name);
  }

  #checkRecord(node: MapNode, name: string, own?: string): void {
    const rule = rules[name] as RecordRule;
    for (const [field, entry] of node.entries) {
      const fieldRule = Object.hasOwn(rule.fields, field) ? rule.fields[field] : undefined;
      if (!fieldRule || !hasField(this.#version, fieldRule)) this.#reportUnknown(field, entry, name, fieldRule);
      else this.#checkField(entry.value, field, fieldRule);
    }
    for (const field of requiredFieldsOf(rule)) {
      // The name of an element may stand before it, as the key of a map.
      if (field === own || node.entries.has(field)) continue;
      const fieldRule = rule.fields[field] as FieldRule;
      if (field === 'type' && this.#version === 'v1.0' && name.endsWith('Parameter')) continue;
      const message = `${article(name)} needs the field ${field}: ${formatShapes(shapesOf(fieldRule, this.#version))}.`;
      this.#report(headOf(node), 'cwl/missing-field', message);
    }
  }

  #checkField(node: Node, name: string, rule: FieldRule): void {
    if (isNull(node) && !rule.required) return;
    this.#checkShapes(node, shapesOf(rule, this.#version), name, rule);
  }

  #checkShapes(node: Node, shapes: readonly Shape[], name: string, rule?: FieldRule): void {
    const shape = shapes.find(each => this.#fits(node, each));
    if (shape !== undefined) {
      this.#descend(node, shape, name);
      return;
    }
    const newer = rule?.later?.shapes.some(each => this.#fits(node, each)) ? rule.later.since : undefined;
    const allowed = newer ? ` From cwlVersion ${newer} on this is allowed.` : '';
    const symbols = shapes.flatMap(each => (typeof each === 'object' && 'symbols' in each ? each.symbols : []));
    const text = textOf(node);
    const near = text === undefined ? '' : suggest(text, symbols);
    const message = `${name} takes ${formatShapes(shapes)}, not ${nameOfNode(node)}.${allowed}${near}`;
    this.#report(node, 'cwl/wrong-type', message);
  }

  /** Whether the outer form is right; what is inside is told by itself. */
  #fits(node: Node, shape: Shape): boolean {
    const value = node.kind === 'scalar' ? node.value : undefined;
    if (typeof shape === 'object') {
      if ('symbols' in shape) return typeof value === 'string' && shape.symbols.includes(toShortName(value));
      if ('list' in shape) return node.kind === 'list';
      if ('record' in shape) return node.kind === 'map' && !(shape.record === 'Dirent' && isFileNode(node));
      return node.kind !== 'scalar';
    }
    switch (shape) {
      case 'any':
        return true;
      case 'string':
      case 'boolean':
        return typeof value === shape;
      case 'int':
        return Number.isInteger(value);
      case 'number':
        return typeof value === 'number';
      case 'expression':
        // Version 1.0 took any text here (CWL v1.1, Changelog).
        return typeof value === 'string' && (this.#version === 'v1.0' || isExpression(value));
      case 'type':
        return typeof value === 'string' || node.kind !== 'scalar';
      case 'process':
        return typeof value === 'string' || node.kind === 'map';
      case 'secondaryFile':
        return typeof value === 'string' || (node.kind === 'map' && hasFeature(this.#version, 'v1.1'));
      case 'requirements':
      case 'hints':
        return node.kind !== 'scalar';
      case 'file':
        return isFileNode(node);
    }
  }

  #descend(node: Node, shape: Shape, name: string): void {
    if (typeof shape === 'object') {
      if ('list' in shape) {
        const shapes = Array.isArray(shape.list) ? (shape.list as readonly Shape[]) : [shape.list as Shape];
        // Null may stand among the files of a working directory (CWL v1.1, InitialWorkDirRequirement).
        for (const item of itemsOf(node))
          if (!(name === 'listing' && isNull(item))) this.#checkShapes(item, shapes, name);
      } else if ('record' in shape) this.#checkRecord(node as MapNode, shape.record);
      else if ('elements' in shape) this.#checkElements(node, shape, name);
    } else if (shape === 'type') this.#checkType(node);
    else if (shape === 'process' && node.kind === 'map') this.checkProcess(node);
    else if (shape === 'secondaryFile' && node.kind === 'map') this.#checkRecord(node, 'SecondaryFileSchema');
    else if (shape === 'requirements' || shape === 'hints') this.#checkRequirements(node, shape === 'hints');
    else if (shape === 'file') this.#checkRecord(node as MapNode, textOf(fieldOf(node, 'class')) as string);
  }

  #checkElements(node: Node, shape: Extract<Shape, { elements: string }>, name: string): void {
    const { elements, subject, predicate } = shape;
    const seen = new Set<string>();
    for (const element of elementsOf(node, subject, predicate)) {
      if (element.node.kind !== 'map') {
        this.#report(element.node, 'cwl/wrong-type', `Each of ${name} is a map, not ${nameOfNode(element.node)}.`);
        continue;
      }
      if (element.id === undefined) {
        const message = `Each of ${name} needs the field ${subject}: a string.`;
        this.#report(headOf(element.node), 'cwl/missing-field', message);
      } else {
        const short = subject === 'id' || subject === 'name' ? toShortName(element.id) : element.id;
        if (seen.has(short)) this.#report(element.key, 'cwl/duplicate', `${short} is among ${name} already.`);
        seen.add(short);
      }
      this.#checkRecord(element.node, elements, subject);
    }
  }

  #checkRequirements(node: Node, isHint: boolean): void {
    const seen = new Set<string>();
    for (const element of elementsOf(node, 'class')) {
      const name = toRequirementClass(element);
      if (name === undefined) {
        const message = 'A requirement needs the field class.';
        this.#report(headOf(element.node), 'cwl/missing-field', message, isHint ? 'warning' : 'error');
        continue;
      }
      if (seen.has(name)) this.#report(element.key, 'cwl/duplicate', `${name} is given twice.`);
      seen.add(name);
      const rule = Object.hasOwn(requirementRules, name) ? requirementRules[name] : undefined;
      const isExtension = element.id?.includes(':') ?? false;
      const isKnown = rule !== undefined && (isExtension || hasFeature(this.#version, rule.since));
      if (isKnown && element.node.kind === 'map') this.#checkRecord(element.node, name, 'class');
      else if (isKnown)
        this.#report(element.node, 'cwl/wrong-type', `${name} is a map, not ${nameOfNode(element.node)}.`);
      else if (!isHint || !isExtension) this.#reportUnknownClass(element.key, name, rule, isHint);
    }
  }

  #reportUnknownClass(key: Entry['key'], name: string, rule: RecordRule | undefined, isHint: boolean): void {
    const names = Object.keys(requirementRules);
    const message = rule
      ? `${name} came with cwlVersion ${rule.since}; this document says ${this.#version}.`
      : `There is no requirement ${name}.${suggest(name, names)}`;
    const advice = isHint ? ' It is ignored.' : '';
    this.#report(key, 'cwl/unknown-requirement', message + advice, isHint ? 'warning' : 'error');
  }

  #checkType(node: Node): void {
    if (node.kind === 'list') {
      for (const item of node.items) this.#checkShapes(item, ['type'], 'type');
    }
    if (node.kind !== 'map') return;
    const kind = textOf(fieldOf(node, 'type'));
    if (kind === 'record') this.#checkRecord(node, 'RecordSchema');
    else if (kind === 'enum') this.#checkRecord(node, 'EnumSchema');
    else if (kind === 'array') this.#checkRecord(node, 'ArraySchema');
    else {
      const at = fieldOf(node, 'type') ?? headOf(node);
      const kinds = ['record', 'enum', 'array'];
      const message = `A type that is a map needs the field type: one of ${kinds.join(', ')}.${suggest(kind ?? '', kinds)}`;
      this.#report(at, 'cwl/wrong-type', message);
    }
  }

  #reportUnknown(field: string, { key }: Entry, name: string, rule: FieldRule | undefined): void {
    if (/^\$(?:namespaces|schemas|base|graph|mixin)$/.test(field)) return;
    if (rule?.since) {
      const message = `${field} came with cwlVersion ${rule.since}; this document says ${this.#version}.`;
      this.#report(key, 'cwl/newer-field', message);
      return;
    }
    const colon = field.indexOf(':');
    if (colon > 0) {
      if (expandPrefix(key.source, field) !== field || /^[a-z]+:\/\//.test(field) || field.startsWith('cwl:')) return;
      if (/^[A-Za-z][\w.-]*:/.test(field)) {
        const message = `The prefix ${field.slice(0, colon)} is not in $namespaces: nobody can know what ${field} means.`;
        this.#report(key, 'cwl/unknown-prefix', message, 'warning');
        return;
      }
    }
    const fields = Object.entries((rules[name] as RecordRule).fields);
    const known = fields.filter(([, each]) => hasField(this.#version, each)).map(([each]) => each);
    const message = `${article(name)} has no field ${field}.${suggest(field, known) || ` It has ${known.join(', ')}.`}`;
    this.#report(key, 'cwl/unknown-field', message);
  }

  #report(span: Entry['key'], code: string, message: string, severity: Problem['severity'] = 'error'): void {
    this.problems.push(problemAt(span, code, message, severity));
  }
}

function requiredFieldsOf(rule: RecordRule): string[] {
  let names = requiredFields.get(rule);
  if (!names) {
    names = Object.entries(rule.fields).flatMap(([name, field]) => (field.required ? [name] : []));
    requiredFields.set(rule, names);
  }
  return names;
}
const requiredFields = new WeakMap<RecordRule, string[]>();

/** Where the lack of something in a map is told: its first key. */
function headOf(node: Node): Entry['key'] {
  if (node.kind !== 'map') return node;
  const first = node.entries.values().next().value?.key;
  return first && first.source === node.source && first.start >= node.start && first.end <= node.end
    ? first
    : { source: node.source, start: node.start, end: Math.min(node.end, node.start + 1) };
}

/** `A workflow step`, `An output of ...`: how people call a record. */
function article(name: string): string {
  return `${/^[AEIOU]/.test(name) ? 'An' : 'A'} ${name}`;
}
