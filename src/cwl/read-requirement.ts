import type { ListingEntry, Requirement, ResourceAmounts } from './model.ts';
import { fieldOf, isNull, itemsOf, type MapNode, type Node, placeOf, textOf } from './node.ts';
import { expandPrefix } from './parse-text.ts';
import { readSchemaDefs } from './read-type.ts';
import { isFileNode, readValue } from './read-value.ts';
import {
  booleanOf,
  type Element,
  elementsOf,
  loadListingOf,
  numberOf,
  type Reading,
  stringOf,
  stringsOf,
} from './reading.ts';
import { resolveUri } from './uri.ts';

/** Classes of cwltool's namespace that v1.1 took over, or that are extensions of ours too, with their plain names. */
const aliases = new Map([['TimeLimit', 'ToolTimeLimit']]);
const vocabularies = ['https://w3id.org/cwl/cwl#', 'http://commonwl.org/cwltool#'];

/** Requirements or hints; those whose class this program does not know are only named. */
export function readRequirements(
  node: Node | undefined,
  reading: Reading,
): { known: Requirement[]; unknown: { class: string; node: Node }[] } {
  const known: Requirement[] = [];
  const unknown: { class: string; node: Node }[] = [];
  for (const element of elementsOf(node, 'class')) {
    const name = toRequirementClass(element);
    if (name === undefined) continue;
    const requirement = element.node.kind === 'map' ? readRequirement(name, element.node, reading) : undefined;
    if (requirement) known.push(requirement);
    else unknown.push({ class: name, node: element.node });
  }
  return { known, unknown };
}

/** The class of an element without the prefix of a vocabulary that this program knows. */
export function toRequirementClass(element: Element): string | undefined {
  if (element.id === undefined) return undefined;
  const full = expandPrefix(element.key.source, element.id.replace(/^cwl:/, vocabularies[0] as string));
  const vocabulary = vocabularies.find(uri => full.startsWith(uri));
  const short = vocabulary === undefined ? full : full.slice(vocabulary.length);
  return aliases.get(short) ?? short;
}

function readRequirement(name: string, node: MapNode, reading: Reading): Requirement | undefined {
  const place = placeOf(node);
  switch (name as Requirement['class']) {
    case 'InlineJavascriptRequirement':
      return { class: 'InlineJavascriptRequirement', place, expressionLib: stringsOf(node, 'expressionLib') };
    case 'SchemaDefRequirement':
      return { class: 'SchemaDefRequirement', place, types: readSchemaDefs(itemsOf(fieldOf(node, 'types')), reading) };
    case 'LoadListingRequirement':
      return { class: 'LoadListingRequirement', place, loadListing: loadListingOf(node) ?? 'no_listing' };
    case 'DockerRequirement':
      return { class: 'DockerRequirement', place, ...readDocker(node) };
    case 'SoftwareRequirement':
      return { class: 'SoftwareRequirement', place, packages: readPackages(node) };
    case 'InitialWorkDirRequirement':
      return { class: 'InitialWorkDirRequirement', place, listing: readListing(fieldOf(node, 'listing')) };
    case 'EnvVarRequirement':
      return { class: 'EnvVarRequirement', place, envDef: readVariables(node) };
    case 'ResourceRequirement':
      return { class: 'ResourceRequirement', place, amounts: readAmounts(node) };
    case 'WorkReuse':
      return { class: 'WorkReuse', place, enableReuse: flagOf(node, 'enableReuse') };
    case 'NetworkAccess':
      return { class: 'NetworkAccess', place, networkAccess: flagOf(node, 'networkAccess') };
    case 'InplaceUpdateRequirement':
      return { class: 'InplaceUpdateRequirement', place, inplaceUpdate: booleanOf(node, 'inplaceUpdate') ?? true };
    case 'ToolTimeLimit':
      return { class: 'ToolTimeLimit', place, timelimit: numberOf(node, 'timelimit') ?? 0 };
    case 'ShellCommandRequirement':
    case 'SubworkflowFeatureRequirement':
    case 'ScatterFeatureRequirement':
    case 'MultipleInputFeatureRequirement':
    case 'StepInputExpressionRequirement':
      return { class: name as 'ShellCommandRequirement', place };
    case 'MPIRequirement':
      return { class: 'MPIRequirement', place, processes: numberOf(node, 'processes') ?? 1 };
    case 'CUDARequirement':
      return { class: 'CUDARequirement', place, ...readCuda(node) };
  }
  return undefined;
}

function flagOf(node: MapNode, name: string): boolean | string {
  return booleanOf(node, name) ?? stringOf(node, name) ?? true;
}

function readDocker(node: MapNode) {
  const resolve = (name: string) => {
    const value = fieldOf(node, name);
    const text = textOf(value);
    return text === undefined || !value ? undefined : resolveUri(value.source.base, text);
  };
  return {
    dockerPull: stringOf(node, 'dockerPull'),
    dockerLoad: resolve('dockerLoad'),
    dockerFile: stringOf(node, 'dockerFile'),
    dockerImport: resolve('dockerImport'),
    dockerImageId: stringOf(node, 'dockerImageId'),
    dockerOutputDirectory: stringOf(node, 'dockerOutputDirectory'),
  };
}

function readPackages(node: MapNode) {
  return elementsOf(fieldOf(node, 'packages'), 'package', 'specs').map(element => ({
    package: element.id ?? '',
    version: stringsOf(element.node, 'version'),
    specs: stringsOf(element.node, 'specs'),
  }));
}

function readVariables(node: MapNode) {
  return elementsOf(fieldOf(node, 'envDef'), 'envName', 'envValue').map(element => ({
    envName: element.id ?? '',
    envValue: stringOf(element.node, 'envValue') ?? '',
  }));
}

function readListing(node: Node | undefined): string | ListingEntry[] {
  if (!node) return [];
  const expression = textOf(node);
  if (expression !== undefined) return expression;
  return itemsOf(node).flatMap(item => readListingEntry(item));
}

function readListingEntry(item: Node): ListingEntry[] {
  const place = placeOf(item);
  const expression = textOf(item);
  if (expression !== undefined) return [{ kind: 'expression', expression, place }];
  if (isNull(item)) return [];
  if (item.kind === 'map' && !isFileNode(item)) {
    const entry = stringOf(item, 'entry') ?? '';
    return [
      {
        kind: 'dirent',
        entry,
        entryname: stringOf(item, 'entryname'),
        writable: booleanOf(item, 'writable') ?? false,
        place,
      },
    ];
  }
  return [{ kind: 'value', value: readValue(item), place }];
}

function readAmounts(node: MapNode): ResourceAmounts {
  const amounts: ResourceAmounts = {};
  for (const kind of ['cores', 'ram', 'tmpdir', 'outdir'] as const) {
    for (const bound of ['Min', 'Max'] as const) {
      const amount = numberOf(node, `${kind}${bound}`);
      if (amount !== undefined) amounts[`${kind}${bound}`] = amount;
    }
  }
  return amounts;
}

function readCuda(node: MapNode) {
  return {
    cudaVersionMin: stringOf(node, 'cudaVersionMin') ?? '',
    cudaComputeCapability: stringOf(node, 'cudaComputeCapability') ?? stringsOf(node, 'cudaComputeCapability'),
    cudaDeviceCountMin: numberOf(node, 'cudaDeviceCountMin'),
    cudaDeviceCountMax: numberOf(node, 'cudaDeviceCountMax'),
  };
}
