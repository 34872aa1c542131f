import type { Type } from './model.ts';
import { toShortName } from './uri.ts';

/** A type as a person writes it: `File[]?`, `record Sample`, `one of "a", "b"`. */
export function formatType(type: Type): string {
  switch (type.kind) {
    case 'primitive':
      return type.name;
    case 'array': {
      const items = formatType(type.items);
      if (items.includes(' ')) return `array of (${items})`;
      return type.items.kind === 'union' ? `array of ${items}` : `${items}[]`;
    }
    case 'record':
      return type.name === undefined
        ? `record {${type.fields.map(field => `${field.name}: ${formatType(field.type)}`).join(', ')}}`
        : `record ${toShortName(type.name)}`;
    case 'enum':
      return `one of ${type.symbols.map(symbol => JSON.stringify(symbol)).join(', ')}`;
    case 'union': {
      const members = type.members.filter(member => !isNullType(member));
      const [only] = members;
      if (members.length === 1 && only) {
        const text = formatType(only);
        return text.includes(' ') ? `${text}, or null` : `${text}?`;
      }
      const text = members.map(formatType).join(' or ');
      return members.length < type.members.length ? `${text} or null` : text;
    }
  }
}

export function isNullType(type: Type): boolean {
  return type.kind === 'primitive' && type.name === 'null';
}

/** Whether null is a value of it. */
export function isOptional(type: Type): boolean {
  return type.kind === 'union' ? type.members.some(isOptional) : isNullType(type);
}

export function membersOf(type: Type): Type[] {
  return type.kind === 'union' ? type.members.flatMap(membersOf) : [type];
}
