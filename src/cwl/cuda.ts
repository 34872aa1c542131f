import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from './expression.ts';
import type { Place } from './model.ts';
import { findRequirement, type Requirements } from './requirements.ts';
import type { Span } from './resources.ts';

/** What a tool asks of GPUs. */
export interface CudaRequest {
  /** `11.4`. */
  versionMin: string;
  /** `8.6`: the least that will do, or all that will do. */
  capability: string | readonly string[];
  devices: Span;
  place: Place;
  /** Under requirements, not hints. */
  isRequired: boolean;
}

/**
 * Evaluates CUDARequirement (extension of cwltool: each of the two counts is the other where only one is given, and 1 where
 * none is); undefined where there is none. Throws a Failure `cwl/resources` for counts and versions that make no sense.
 */
export function evaluateCuda(requirements: Requirements, context: Context): CudaRequest | undefined {
  const requirement = findRequirement(requirements, 'CUDARequirement');
  if (!requirement) return undefined;
  const { cudaVersionMin: versionMin, cudaComputeCapability: capability, place } = requirement;
  const invalid = (message: string) => new Failure('cwl/resources', `${formatPlace(place)}: ${message}`);
  const count = (name: 'cudaDeviceCountMin' | 'cudaDeviceCountMax'): number | undefined => {
    const given = requirement[name];
    const value = typeof given === 'string' ? evaluate(given, context, { place }) : (given ?? null);
    if (value === null) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
    throw invalid(`${name} must be a number of GPUs, not ${JSON.stringify(value)}`);
  };
  for (const version of [versionMin, capability].flat()) {
    if (!/^\d+(\.\d+)*$/.test(version)) throw invalid(`"${version}" is no version; one is written like "11.4"`);
  }
  const [low, high] = [count('cudaDeviceCountMin'), count('cudaDeviceCountMax')];
  const devices = { min: low ?? high ?? 1, max: high ?? low ?? 1 };
  if (devices.max < devices.min) {
    throw invalid(`cudaDeviceCountMax (${devices.max}) is below cudaDeviceCountMin (${devices.min})`);
  }
  const isRequired = requirements.required.has('CUDARequirement');
  return { versionMin, capability, devices, place, isRequired };
}
