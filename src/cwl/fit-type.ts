import type { PrimitiveName, RecordType, Type } from './model.ts';
import { isOptional, membersOf } from './type-text.ts';
import { toShortName } from './uri.ts';

/** `partly`: some values of the one are values of the other, so only the run can tell. */
export type Fit = 'fits' | 'partly' | 'never';

const wider: Partial<Record<PrimitiveName, readonly PrimitiveName[]>> = {
  int: ['long', 'float', 'double'],
  long: ['int', 'float', 'double'],
  float: ['double'],
  double: ['float'],
};

/** Whether values of `source` can be taken where `sink` is asked for. */
export function fitType(source: Type, sink: Type): Fit {
  if (isAny(source) || isAny(sink)) return 'fits';
  if (source.kind === 'union') {
    const fits = membersOf(source).map(member => fitType(member, sink));
    if (fits.every(fit => fit === 'fits')) return 'fits';
    return fits.every(fit => fit === 'never') ? 'never' : 'partly';
  }
  if (sink.kind === 'union') return best(membersOf(sink).map(member => fitType(source, member)));
  if (source.kind === 'array') return sink.kind === 'array' ? fitType(source.items, sink.items) : 'never';
  if (source.kind === 'record') return sink.kind === 'record' ? fitRecord(source, sink) : 'never';
  if (source.kind === 'enum') {
    if (sink.kind === 'primitive') return sink.name === 'string' ? 'fits' : 'never';
    if (sink.kind !== 'enum') return 'never';
    const shared = source.symbols.filter(symbol => sink.symbols.includes(symbol));
    return shared.length === source.symbols.length ? 'fits' : shared.length > 0 ? 'partly' : 'never';
  }
  if (sink.kind === 'enum') return source.name === 'string' ? 'partly' : 'never';
  if (sink.kind !== 'primitive') return 'never';
  return source.name === sink.name || wider[source.name]?.includes(sink.name) ? 'fits' : 'never';
}

/** `type` without null; Any where nothing else is left. */
export function withoutNull(type: Type): Type {
  const members = membersOf(type).filter(member => !(member.kind === 'primitive' && member.name === 'null'));
  if (members.length === 0) return { kind: 'primitive', name: 'Any' };
  return members.length === 1 ? (members[0] as Type) : { kind: 'union', members };
}

function isAny(type: Type): boolean {
  return type.kind === 'primitive' && type.name === 'Any';
}

function best(fits: Fit[]): Fit {
  return fits.includes('fits') ? 'fits' : fits.includes('partly') ? 'partly' : 'never';
}

function fitRecord(source: RecordType, sink: RecordType): Fit {
  let result: Fit = 'fits';
  for (const field of sink.fields) {
    const given = source.fields.find(each => toShortName(each.name) === toShortName(field.name));
    const fit = given ? fitType(given.type, field.type) : isOptional(field.type) ? 'fits' : 'never';
    if (fit === 'never') return 'never';
    if (fit === 'partly') result = 'partly';
  }
  return result;
}
