import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from './expression.ts';
import { findRequirement, type Requirements } from './requirements.ts';

/** What a tool asks for: cores, and mebibytes. `max` is never below `min`. */
export interface ResourceRequest {
  cores: Span;
  ram: Span;
  tmpdir: Span;
  outdir: Span;
}
export interface Span {
  min: number;
  max: number;
}

const defaults = { cores: 1, ram: 256, tmpdir: 1024, outdir: 1024 };

/**
 * Evaluates ResourceRequirement with its defaults (CWL v1.2, ResourceRequirement; v1.0 asks for 1024 MiB of memory).
 * Throws a Failure `cwl/resources` for negative amounts and for a maximum below the minimum.
 */
export function evaluateResources(requirements: Requirements, context: Context): ResourceRequest {
  const requirement = findRequirement(requirements, 'ResourceRequirement');
  const span = (name: keyof typeof defaults): Span => {
    const fallback = name === 'ram' && context.version === 'v1.0' ? 1024 : defaults[name];
    const [low, high] = [amount(`${name}Min`), amount(`${name}Max`)];
    const min = low ?? high ?? fallback;
    const max = high ?? min;
    if (max < min) throw invalid(`${name}Max (${max}) is below ${name}Min (${min})`);
    return { min, max };
  };
  const amount = (name: `${keyof typeof defaults}${'Min' | 'Max'}`): number | undefined => {
    const text = requirement?.amounts[name];
    if (text === undefined || typeof text === 'number') return check(name, text);
    const value = evaluate(text, context, { place: requirement!.place });
    if (value !== null && typeof value !== 'number')
      throw invalid(`${name} must be a number, ${text} gives ${JSON.stringify(value)}`);
    return check(name, value ?? undefined);
  };
  const check = (name: string, value: number | undefined): number | undefined => {
    if (value !== undefined && value < 0) throw invalid(`${name} is negative: ${value}`);
    return value;
  };
  const invalid = (message: string) =>
    new Failure('cwl/resources', `${requirement ? `${formatPlace(requirement.place)}: ` : ''}${message}`);
  return { cores: span('cores'), ram: span('ram'), tmpdir: span('tmpdir'), outdir: span('outdir') };
}
