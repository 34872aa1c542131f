import type { Triple } from './turtle.ts';

const tag =
  /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<[?!][^>]*>|<(\/?)([\w.:-]+)((?:\s+[\w.:-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>/g;
const attribute = /([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

interface Open {
  name: string;
  /** The resource that the element describes; undefined in an element that is a property. */
  subject: string | undefined;
  /** The property in which the element stands. */
  property: string | undefined;
}

/**
 * The triples of an RDF/XML document whose objects are resources with a name: as much as classes and their order
 * need (W3C RDF 1.1 XML Syntax §2). Literals and blank nodes are passed over.
 */
export function parseRdfXml(text: string): Triple[] {
  const entities = readEntities(text);
  const prefixes = new Map<string, string>();
  const triples: Triple[] = [];
  const stack: Open[] = [];
  let base = '';
  const expand = (name: string) => {
    const at = name.indexOf(':');
    return (prefixes.get(at < 0 ? '' : name.slice(0, at)) ?? '') + name.slice(at + 1);
  };
  const resolve = (reference: string) =>
    /^[A-Za-z][\w+.-]*:/.test(reference) ? reference : base.replace(/#$/, '') + reference;
  for (const [, close, name, attributeText, isEmpty] of text.matchAll(tag)) {
    if (name === undefined) continue;
    if (close) {
      stack.pop();
      continue;
    }
    const attributes = readAttributes(attributeText ?? '', entities);
    for (const [key, value] of attributes) {
      if (key === 'xmlns') prefixes.set('', value);
      else if (key.startsWith('xmlns:')) prefixes.set(key.slice(6), value);
      else if (key === 'xml:base') base = value;
    }
    const parent = stack.at(-1);
    const id = attributes.get('rdf:ID');
    const about = attributes.get('rdf:about') ?? (id === undefined ? undefined : `#${id}`);
    const isNode = parent === undefined || parent.subject === undefined;
    const open: Open = { name, subject: undefined, property: undefined };
    if (isNode && name !== 'rdf:RDF') {
      open.subject = about === undefined ? '' : resolve(about);
      const outer = stack.at(-2)?.subject;
      if (parent?.property && outer && open.subject) triples.push([outer, parent.property, open.subject]);
    } else if (parent?.subject !== undefined) {
      open.property = expand(name);
      const resource = attributes.get('rdf:resource');
      if (resource !== undefined && parent.subject) triples.push([parent.subject, open.property, resolve(resource)]);
    }
    if (!isEmpty) stack.push(open);
  }
  return triples;
}

function readEntities(text: string): Map<string, string> {
  const entities = new Map([
    ['amp', '&'],
    ['lt', '<'],
    ['gt', '>'],
    ['quot', '"'],
    ['apos', "'"],
  ]);
  for (const [, name, value] of text.matchAll(/<!ENTITY\s+([\w.-]+)\s+"([^"]*)"\s*>/g)) {
    entities.set(name as string, replaceEntities(value as string, entities));
  }
  return entities;
}

function readAttributes(text: string, entities: Map<string, string>): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name, double, single] of text.matchAll(attribute)) {
    attributes.set(name as string, replaceEntities(double ?? single ?? '', entities));
  }
  return attributes;
}

function replaceEntities(text: string, entities: Map<string, string>): string {
  if (!text.includes('&')) return text;
  return text.replace(/&([\w.-]+);/g, (all, name: string) => entities.get(name) ?? all);
}
