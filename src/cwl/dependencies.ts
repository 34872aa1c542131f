import type { Process, Requirement, Value } from './model.ts';

/** A File or Directory that something names. */
export interface FileReference {
  uri: string;
  class: 'File' | 'Directory';
}

/** Every File and Directory in the defaults, working directories and images of a process and its steps, each once. */
export function findFiles(process: Process): FileReference[] {
  const files = new Map<string, FileReference>();
  const add = (value: Value | undefined) => {
    for (const file of filesIn(value)) files.set(file.uri, file);
  };
  const done = new Set<Process>();
  const visit = (each: Process) => {
    if (done.has(each)) return;
    done.add(each);
    for (const input of each.inputs) add(input.default);
    addRequirements(each);
    for (const uri of each.schemas) files.set(uri, { uri, class: 'File' });
    if (each.class !== 'Workflow') return;
    for (const step of each.steps) {
      for (const input of [...step.in, ...(step.loop?.inputs ?? [])]) add(input.default);
      addRequirements(step);
      visit(step.run);
    }
  };
  const addRequirements = (holder: Pick<Process, 'requirements' | 'hints'>) => {
    for (const requirement of [...holder.requirements, ...holder.hints]) {
      if (requirement.class === 'InitialWorkDirRequirement' && Array.isArray(requirement.listing)) {
        for (const entry of requirement.listing) if (entry.kind === 'value') add(entry.value);
      }
      if (requirement.class !== 'DockerRequirement') continue;
      for (const uri of [requirement.dockerLoad, requirement.dockerImport]) {
        if (uri !== undefined) files.set(uri, { uri, class: 'File' });
      }
    }
  };
  visit(process);
  return [...files.values()];
}

/** Images that DockerRequirements of a process and its steps would pull: an image id alone counts as one. */
export function findImages(process: Process): string[] {
  const names = findDockerRequirements(process).flatMap(each => {
    const { dockerPull, dockerLoad, dockerImport, dockerFile, dockerImageId } = each;
    return dockerPull ?? ((dockerLoad ?? dockerImport ?? dockerFile) ? [] : (dockerImageId ?? []));
  });
  return [...new Set(names)];
}

/** Texts of the Dockerfiles in them. */
export function findDockerFiles(process: Process): string[] {
  return [...new Set(findDockerRequirements(process).flatMap(each => each.dockerFile ?? []))];
}

type DockerRequirement = Extract<Requirement, { class: 'DockerRequirement' }>;

function findDockerRequirements(process: Process): DockerRequirement[] {
  const found: DockerRequirement[] = [];
  const done = new Set<Process>();
  const look = (holder: Pick<Process, 'requirements' | 'hints'>) => {
    for (const requirement of [...holder.requirements, ...holder.hints]) {
      if (requirement.class === 'DockerRequirement') found.push(requirement);
    }
  };
  const visit = (each: Process) => {
    if (done.has(each)) return;
    done.add(each);
    look(each);
    for (const step of each.class === 'Workflow' ? each.steps : []) {
      look(step);
      visit(step.run);
    }
  };
  visit(process);
  return found;
}

/** Every File and Directory in a value that has a location, with secondary files and listings. */
export function filesIn(value: Value | undefined): FileReference[] {
  if (Array.isArray(value)) return value.flatMap(filesIn);
  if (typeof value !== 'object' || value === null) return [];
  const own = Object.values(value).flatMap(filesIn);
  const { class: name, location } = value;
  if ((name !== 'File' && name !== 'Directory') || typeof location !== 'string' || location.startsWith('_:'))
    return own;
  return [{ uri: location, class: name }, ...own];
}
