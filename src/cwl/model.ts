/**
 * A CWL document after loading: links resolved, idmaps and DSLs expanded, every version told in the words of v1.2.
 * `load` makes it, everything else in this room and the runner reads it, nobody changes it.
 */
import type { Range } from '#base/problem.ts';

/** Where something stands in a document. */
export interface Place {
  uri: string;
  range: Range;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** A value of an input or output parameter: JSON in which Files and Directories are objects with a `class`. */
export type Value = Json;

export type Version = 'v1.0' | 'v1.1' | 'v1.2' | 'v1.3.0-dev1';

/** A string that may hold `$(...)` or `${...}`; whether it does is decided when it is evaluated. */
export type Expression = string;

// --- types --------------------------------------------------------------------------------------------------------

export type PrimitiveName =
  | 'null'
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'string'
  | 'File'
  | 'Directory'
  | 'Any';
export type Type = PrimitiveType | ArrayType | RecordType | EnumType | UnionType;
export interface PrimitiveType {
  kind: 'primitive';
  name: PrimitiveName;
}
export interface ArrayType {
  kind: 'array';
  items: Type;
  inputBinding?: InputBinding;
  label?: string;
}
export interface RecordType {
  kind: 'record';
  /** Full URI when named. */
  name?: string;
  fields: Field[];
  inputBinding?: InputBinding;
  label?: string;
}
export interface EnumType {
  kind: 'enum';
  name?: string;
  /** Short symbols, without the URI of the enum. */
  symbols: string[];
  inputBinding?: InputBinding;
  label?: string;
}
/** A choice; `T?` is the union of null and T. */
export interface UnionType {
  kind: 'union';
  members: Type[];
}

/** What a File may carry besides its path; shared by input parameters, output parameters and record fields. */
export interface FileRules {
  secondaryFiles: SecondaryFile[];
  format: Expression[];
  streamable: boolean;
  loadContents: boolean;
  loadListing?: LoadListing;
}
export interface SecondaryFile {
  pattern: Expression;
  /** Boolean or expression; undefined is the version's default (inputs: true, outputs: false). */
  required?: boolean | Expression;
}
export type LoadListing = 'no_listing' | 'shallow_listing' | 'deep_listing';

export interface Field extends FileRules {
  /** Short name. */
  name: string;
  type: Type;
  label?: string;
  doc?: string;
  inputBinding?: InputBinding;
  outputBinding?: OutputBinding;
  place: Place;
}

// --- parameters ---------------------------------------------------------------------------------------------------

export interface InputBinding {
  position?: number | Expression;
  prefix?: string;
  separate: boolean;
  itemSeparator?: string;
  valueFrom?: Expression;
  shellQuote: boolean;
  loadContents: boolean;
  place: Place;
}
export interface OutputBinding {
  glob: Expression[];
  loadContents: boolean;
  loadListing?: LoadListing;
  outputEval?: Expression;
  place: Place;
}
export interface InputParameter extends FileRules {
  /** Short name, unique among the inputs of its process. */
  id: string;
  type: Type;
  label?: string;
  doc?: string;
  /** undefined: none; null counts as none too (CWL v1.2, Process §default). */
  default?: Value;
  /** Absent on workflows and expression tools, except for its loadContents. */
  inputBinding?: InputBinding;
  place: Place;
}
export interface OutputParameter extends FileRules {
  id: string;
  type: Type;
  label?: string;
  doc?: string;
  outputBinding?: OutputBinding;
  place: Place;
}
export interface WorkflowOutput extends OutputParameter {
  /** Short ids of sources: `step/out` or the id of a workflow input. */
  outputSource: string[];
  /** True where `outputSource` was written as a list: then a single link is merged as a list too. */
  sourceIsList: boolean;
  linkMerge?: LinkMerge;
  pickValue?: PickValue;
}
export type LinkMerge = 'merge_nested' | 'merge_flattened';
export type PickValue = 'first_non_null' | 'the_only_non_null' | 'all_non_null';

// --- processes ----------------------------------------------------------------------------------------------------

export type Process = CommandLineTool | ExpressionTool | Workflow | Operation;

interface ProcessBase {
  /** Full URI with fragment. */
  id: string;
  /** What the document that holds it says; decides the defaults that differ between versions. */
  cwlVersion: Version;
  label?: string;
  doc?: string;
  intent: string[];
  inputs: InputParameter[];
  /** Own ones only; `runner` merges in what is inherited (CWL v1.2, Workflow §Requirements and hints). */
  requirements: Requirement[];
  hints: Requirement[];
  /** Hints and extensions that this program does not know, by class. */
  unknownHints: { class: string; place: Place }[];
  /** Ontologies of `$schemas`, resolved. */
  schemas: string[];
  place: Place;
}
export interface CommandLineTool extends ProcessBase {
  class: 'CommandLineTool';
  outputs: OutputParameter[];
  baseCommand: string[];
  arguments: InputBinding[];
  stdin?: Expression;
  stdout?: Expression;
  stderr?: Expression;
  successCodes: number[];
  temporaryFailCodes: number[];
  permanentFailCodes: number[];
}
export interface ExpressionTool extends ProcessBase {
  class: 'ExpressionTool';
  outputs: OutputParameter[];
  expression: Expression;
  expressionPlace: Place;
}
export interface Operation extends ProcessBase {
  class: 'Operation';
  outputs: OutputParameter[];
}
export interface Workflow extends ProcessBase {
  class: 'Workflow';
  outputs: WorkflowOutput[];
  steps: Step[];
}
export interface Step {
  /** Short id, unique in its workflow. */
  id: string;
  label?: string;
  doc?: string;
  in: StepInput[];
  /** Short ids of the outputs of `run` that are passed on. */
  out: string[];
  run: Process;
  requirements: Requirement[];
  hints: Requirement[];
  unknownHints: { class: string; place: Place }[];
  /** Short ids of step inputs. */
  scatter: string[];
  scatterMethod?: 'dotproduct' | 'nested_crossproduct' | 'flat_crossproduct';
  when?: Expression;
  /** CWL v1.3 development. */
  loop?: { outputMethod: 'last' | 'all'; inputs: StepInput[]; when: Expression };
  place: Place;
}
export interface StepInput {
  id: string;
  source: string[];
  sourceIsList: boolean;
  linkMerge?: LinkMerge;
  pickValue?: PickValue;
  default?: Value;
  valueFrom?: Expression;
  loadContents: boolean;
  loadListing?: LoadListing;
  label?: string;
  place: Place;
}

// --- requirements -------------------------------------------------------------------------------------------------

export type Requirement = { place: Place } & (
  | { class: 'InlineJavascriptRequirement'; expressionLib: string[] }
  | { class: 'SchemaDefRequirement'; types: Type[] }
  | { class: 'LoadListingRequirement'; loadListing: LoadListing }
  | {
      class: 'DockerRequirement';
      dockerPull?: string;
      /** Path or URI, resolved against the document. */
      dockerLoad?: string;
      dockerFile?: string;
      dockerImport?: string;
      dockerImageId?: string;
      dockerOutputDirectory?: string;
    }
  | { class: 'SoftwareRequirement'; packages: { package: string; version: string[]; specs: string[] }[] }
  | { class: 'InitialWorkDirRequirement'; listing: Expression | ListingEntry[] }
  | { class: 'EnvVarRequirement'; envDef: { envName: string; envValue: Expression }[] }
  | { class: 'ShellCommandRequirement' }
  | { class: 'ResourceRequirement'; amounts: ResourceAmounts }
  | { class: 'WorkReuse'; enableReuse: boolean | Expression }
  | { class: 'NetworkAccess'; networkAccess: boolean | Expression }
  | { class: 'InplaceUpdateRequirement'; inplaceUpdate: boolean }
  | { class: 'ToolTimeLimit'; timelimit: number | Expression }
  | { class: 'SubworkflowFeatureRequirement' }
  | { class: 'ScatterFeatureRequirement' }
  | { class: 'MultipleInputFeatureRequirement' }
  | { class: 'StepInputExpressionRequirement' }
  | { class: 'MPIRequirement'; processes: number | Expression }
  | {
      class: 'CUDARequirement';
      cudaVersionMin: string;
      /** A single value is the least that will do; a list holds all that will do. */
      cudaComputeCapability: string | string[];
      cudaDeviceCountMin?: number | Expression;
      cudaDeviceCountMax?: number | Expression;
    }
);
/** `ramMin` and the others in mebibytes, as CWL says. */
export type ResourceAmounts = Partial<
  Record<
    'coresMin' | 'coresMax' | 'ramMin' | 'ramMax' | 'tmpdirMin' | 'tmpdirMax' | 'outdirMin' | 'outdirMax',
    number | Expression
  >
>;
export type ListingEntry =
  | { kind: 'expression'; expression: Expression; place: Place }
  | { kind: 'dirent'; entryname?: Expression; entry: Expression; writable: boolean; place: Place }
  /** A File or Directory object, or a list of them. */
  | { kind: 'value'; value: Value; place: Place };
