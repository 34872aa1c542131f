import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from './expression.ts';
import type { Place, Value } from './model.ts';
import { findRequirement, type Requirements } from './requirements.ts';

// Requirements that hold one value, which an expression may give.

/** Whether the tool may reach the network: v1.0 knows no rule, later versions open it on request (CWL v1.2, NetworkAccess). */
export function evaluateNetworkAccess(requirements: Requirements, context: Context): boolean {
  const requirement = findRequirement(requirements, 'NetworkAccess');
  if (!requirement) return context.version === 'v1.0';
  return toFlag('networkAccess', requirement.networkAccess, requirement.place, context);
}

/** Whether results of the tool may be taken from a cache (CWL v1.2, WorkReuse). */
export function evaluateReuse(requirements: Requirements, context: Context): boolean {
  const requirement = findRequirement(requirements, 'WorkReuse');
  return !requirement || toFlag('enableReuse', requirement.enableReuse, requirement.place, context);
}

/** Seconds; undefined where there is no limit (CWL v1.2, ToolTimeLimit: 0 is none). */
export function evaluateTimeLimit(requirements: Requirements, context: Context): number | undefined {
  const requirement = findRequirement(requirements, 'ToolTimeLimit');
  if (!requirement) return undefined;
  const { timelimit, place } = requirement;
  const value = find(timelimit, place, context);
  if (typeof value !== 'number' || value < 0)
    throw invalid('timelimit', 'a number of seconds that is not negative', value, place);
  return value === 0 ? undefined : value;
}

function toFlag(field: string, given: boolean | string, place: Place, context: Context): boolean {
  const value = find(given, place, context);
  if (typeof value !== 'boolean') throw invalid(field, 'true or false', value, place);
  return value;
}

function find(given: Value, place: Place, context: Context): Value {
  return typeof given === 'string' ? evaluate(given, context, { place }) : given;
}

function invalid(field: string, wanted: string, value: Value, place: Place): Failure {
  const said = `${field} must be ${wanted}, not ${JSON.stringify(value)}`;
  return new Failure('cwl/wrong-value', `${formatPlace(place)}: ${said}`);
}
