import { may, must, oneOrMore, type RecordRule, type Shape } from './schema.ts';

const amount: readonly Shape[] = ['int', 'expression'];
const fraction = { later: { since: 'v1.2', shapes: ['number'] as readonly Shape[] } } as const;
const className = must('string', 'Which requirement this is.');

function requirement(doc: string, fields: RecordRule['fields'] = {}, since?: RecordRule['since']): RecordRule {
  return { doc, since, fields: { class: className, ...fields } };
}

/** Requirements by class (CWL v1.2, Requirements and hints; MPI and CUDA are extensions of cwltool). */
export const requirementRules: Record<string, RecordRule> = {
  InlineJavascriptRequirement: requirement('Expressions in JavaScript are evaluated.', {
    expressionLib: may({ list: 'string' }, 'JavaScript that comes before every expression.'),
  }),
  SchemaDefRequirement: requirement('Types that the parameters refer to by name.', {
    types: must({ list: 'type' }, 'Record and enum types, each with a `name`.'),
  }),
  LoadListingRequirement: requirement(
    'How much of a Directory is put into its `listing`.',
    {
      loadListing: may(
        { symbols: ['no_listing', 'shallow_listing', 'deep_listing'] },
        'Nothing, the top level, or everything.',
      ),
    },
    'v1.1',
  ),
  DockerRequirement: requirement('The image in which the tool runs.', {
    dockerPull: may('string', 'The image in a registry: `quay.io/biocontainers/samtools:1.21--h50ea8bc_0`.'),
    dockerLoad: may('string', 'URL or path of an archive made by `docker save`.'),
    dockerFile: may('string', 'The text of a Dockerfile to build the image from.'),
    dockerImport: may('string', 'URL or path of an archive of a root file system.'),
    dockerImageId: may('string', 'The name of the image once it is there; `dockerPull` by default.'),
    dockerOutputDirectory: may('string', 'The path of the output folder inside the container.'),
  }),
  SoftwareRequirement: requirement('The software that the tool needs.', {
    packages: must({ elements: 'SoftwarePackage', subject: 'package', predicate: 'specs' }, 'The packages.'),
  }),
  InitialWorkDirRequirement: requirement('Files that are in the working directory when the tool starts.', {
    listing: must(
      ['expression', { list: ['expression', { record: 'Dirent' }, 'file', { list: 'file' }] }],
      'The files: each a Dirent, a File or Directory, or an expression for them.',
    ),
  }),
  EnvVarRequirement: requirement('Environment variables of the tool.', {
    envDef: must({ elements: 'EnvironmentDef', subject: 'envName', predicate: 'envValue' }, 'Name and value of each.'),
  }),
  ShellCommandRequirement: requirement('The command line is run by a shell.'),
  ResourceRequirement: requirement('What the tool needs of the node.', {
    coresMin: may(amount, 'Processors, at least; 1 by default.', fraction),
    coresMax: may(amount, 'Processors, at most.', fraction),
    ramMin: may(amount, 'Memory in mebibytes, at least; 256 by default.', fraction),
    ramMax: may(amount, 'Memory in mebibytes, at most.', fraction),
    tmpdirMin: may(amount, 'Space for temporary files in mebibytes, at least; 1024 by default.', fraction),
    tmpdirMax: may(amount, 'Space for temporary files in mebibytes, at most.', fraction),
    outdirMin: may(amount, 'Space for outputs in mebibytes, at least; 1024 by default.', fraction),
    outdirMax: may(amount, 'Space for outputs in mebibytes, at most.', fraction),
  }),
  WorkReuse: requirement(
    'Whether results of an earlier run with the same inputs may be taken.',
    { enableReuse: must(['boolean', 'expression'], 'False where the result depends on more than the inputs.') },
    'v1.1',
  ),
  NetworkAccess: requirement(
    'Whether the tool needs the network.',
    { networkAccess: must(['boolean', 'expression'], 'True opens the network, which is closed otherwise.') },
    'v1.1',
  ),
  InplaceUpdateRequirement: requirement(
    'Whether the tool changes its input files in place.',
    { inplaceUpdate: must('boolean', 'True lets writable files of the working directory be the originals.') },
    'v1.1',
  ),
  ToolTimeLimit: requirement(
    'The time after which the tool is ended.',
    { timelimit: must(['int', 'expression'], 'Seconds; 0 is no limit.') },
    'v1.1',
  ),
  SubworkflowFeatureRequirement: requirement('Steps run workflows.'),
  ScatterFeatureRequirement: requirement('Steps are scattered over lists.'),
  MultipleInputFeatureRequirement: requirement('Inputs of steps have several sources.'),
  StepInputExpressionRequirement: requirement('Inputs of steps have a `valueFrom`.'),
  MPIRequirement: requirement('The tool is started by MPI.', {
    processes: must(['int', 'expression'], 'The number of processes.'),
  }),
  CUDARequirement: requirement('The tool uses GPUs.', {
    cudaVersionMin: must('string', 'The oldest version of CUDA that will do.'),
    cudaComputeCapability: must(oneOrMore('string'), 'The oldest architecture that will do, or those that will do.'),
    cudaDeviceCountMin: may(['int', 'expression'], 'GPUs, at least; 1 by default.'),
    cudaDeviceCountMax: may(['int', 'expression'], 'GPUs, at most.'),
  }),
};

/** The records inside requirements. */
export const requirementParts: Record<string, RecordRule> = {
  SoftwarePackage: {
    doc: 'A package of software.',
    fields: {
      package: must('string', 'Its name.'),
      version: may({ list: 'string' }, 'Versions that are known to work.'),
      specs: may({ list: 'string' }, 'IRIs that describe it.'),
    },
  },
  EnvironmentDef: {
    doc: 'An environment variable.',
    fields: {
      envName: must('string', 'The name of the variable.'),
      envValue: must('string', 'Its value, or an expression.'),
    },
  },
  Dirent: {
    doc: 'A file or folder in the working directory.',
    fields: {
      entryname: may('string', 'Its name, or a path below the working directory.'),
      entry: must('string', 'Its text, or an expression for a File or Directory.'),
      writable: may('boolean', 'Whether the tool may change it.'),
    },
  },
};
