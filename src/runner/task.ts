import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Exit } from '#base/command.ts';
import { formatCommand } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import type { Context } from '#cwl/expression.ts';
import { findPaths, type PathValue } from '#cwl/file-value.ts';
import { evaluateWorkDir, type WorkDirEntry } from '#cwl/initial-work-dir.ts';
import type { CommandLineTool, LoadListing, Value } from '#cwl/model.ts';
import { collectOutputs, readOutputObject } from '#cwl/outputs.ts';
import { findRequirement } from '#cwl/requirements.ts';
import { evaluateResources } from '#cwl/resources.ts';
import { evaluateReuse, evaluateTimeLimit } from '#cwl/single-values.ts';
import type { GpuAccess } from '#engine/gpus.ts';
import type { Engine, Sandbox } from '#engine/sandbox.ts';
import { type Container, findContainer, refuseUnsupported } from './container.ts';
import { grantGpus, toAccess } from './gpus.ts';
import { Guards } from './guards.ts';
import { GuestView, listAliases } from './guest-view.ts';
import { completeNames } from './inputs.ts';
import { openOutputFolder } from './output-folder.ts';
import { planSandbox } from './plan-sandbox.ts';
import { toReuseKey } from './reuse-key.ts';
import { now, type RunState, type Scope } from './run-state.ts';
import { settleOutputs } from './settle.ts';
import { linkLog, type Slot } from './slots.ts';
import { runCommand, type Streams } from './spawn.ts';
import { Staging, type TaskPaths } from './staging.ts';
import { openNamedStreams } from './streams.ts';
import { findFault, formatTaskFailure, TaskFailure } from './task-failure.ts';
import { makeTaskFolder, type TaskFolder } from './task-folder.ts';

export interface ToolResult {
  outputs: Record<string, Value>;
  /** They are those of an earlier run, and the tool was not started. */
  isReused: boolean;
}

/** Runs one CommandLineTool: stage, start, wait, collect. Throws where it fails, with all that a person needs to know. */
export async function runTool(
  run: RunState,
  tool: CommandLineTool,
  scope: Scope,
  listing: LoadListing,
): Promise<ToolResult> {
  refuseUnsupported(scope);
  const lib = findRequirement(scope.requirements, 'InlineJavascriptRequirement')?.expressionLib;
  const context: Context = {
    version: tool.cwlVersion,
    inputs: scope.inputs,
    runtime: {},
    lib,
    evaluator: run.evaluator,
  };
  const request = evaluateResources(scope.requirements, context);
  const isHint = !scope.requirements.required.has('ResourceRequirement');
  const gpus = await grantGpus(run, scope, context);
  const grant = { ...run.gate.grant(request, { isHint }), devices: gpus };
  const container = await findContainer(run, scope);
  const leave = await run.gate.enter(grant);
  try {
    run.checkGoesOn();
    const task = new Task(run, tool, scope, container, listing, toAccess(gpus?.node, grant.taken ?? []));
    context.runtime = {
      outdir: task.paths.work.guest,
      tmpdir: task.paths.temporary.guest,
      cores: Math.max(1, Math.ceil(grant.cores)),
      ram: Math.max(1, Math.ceil(grant.ram)),
      outdirSize: Math.max(1, Math.ceil(request.outdir.min)),
      tmpdirSize: Math.max(1, Math.ceil(request.tmpdir.min)),
      ...(gpus && { cudaDeviceCount: gpus.count }),
    };
    return await task.run(context);
  } finally {
    leave();
  }
}

class Task {
  readonly paths: TaskPaths;
  readonly #run: RunState;
  readonly #tool: CommandLineTool;
  readonly #scope: Scope;
  readonly #container: Container | undefined;
  readonly #listing: LoadListing;
  readonly #gpus: GpuAccess | undefined;
  readonly #folder: TaskFolder;
  readonly #slot: Slot;
  readonly #logs: { path: string; stream: 'stdout' | 'stderr' }[] = [];
  readonly #staging: Staging;

  constructor(
    run: RunState,
    tool: CommandLineTool,
    scope: Scope,
    container: Container | undefined,
    listing: LoadListing,
    gpus: GpuAccess | undefined,
  ) {
    this.#run = run;
    this.#tool = tool;
    this.#scope = scope;
    this.#container = container;
    this.#listing = listing;
    this.#gpus = gpus;
    this.#folder = makeTaskFolder(run.options.folder, scope.task);
    this.#slot = run.slots.take();
    const isSandboxed = container !== undefined;
    if (isSandboxed) run.slots.openEngine(this.#slot);
    const { path, work } = this.#folder;
    const { temporary } = this.#slot;
    this.paths = {
      folder: path,
      isSandboxed,
      work: { host: work, guest: isSandboxed ? (container.requirement.dockerOutputDirectory ?? '/w') : work },
      temporary: { host: temporary, guest: isSandboxed ? '/t' : temporary },
    };
    this.#staging = new Staging(this.paths);
  }

  /** After a failure the task keeps all that there is, for people to look at. */
  async run(context: Context): Promise<ToolResult> {
    try {
      const result = await this.#execute(context);
      if (!this.#run.slots.give(this.#slot, this.#logs)) await this.#run.starters.drop(this.#slot);
      return result;
    } catch (error) {
      this.#run.slots.abandon(this.#slot, this.#folder.temporary);
      await this.#run.starters.drop(this.#slot);
      throw error;
    }
  }

  async #execute(context: Context): Promise<ToolResult> {
    const entries = await this.#stage(context);
    const { image } = this.#container ?? {};
    const sandbox = planSandbox(this.#tool, context, {
      requirements: this.#scope.requirements,
      image,
      paths: this.paths,
      binds: this.#staging.binds,
      gpus: this.#gpus,
      environment: this.#run.options.environment,
    });
    const key = await this.#findKey(context, entries, sandbox);
    const reused = key === undefined ? undefined : this.#run.cache?.find(key);
    if (reused) return { outputs: reused, isReused: true };
    const streams = this.#openStreams(context);
    const engine = this.#findEngine(sandbox);
    const endCommand = engine.planEnd?.(this.#slot.engine);
    const commandLine = formatCommand(sandbox.argv);
    this.#run.sandboxes.append({
      task: this.#scope.task,
      sandbox,
      engine: engine.name,
      tmpdir: this.#slot.temporary,
      commandLine,
      image: image?.reference,
      endArgv: endCommand?.argv,
    });
    const about = {
      commandLine,
      engine: engine.name,
      rules: sandbox.network ? { ...engine.rules, network: undefined } : engine.rules,
      ...(image && { image: image.reference }),
      ...(this.#gpus && { gpus: this.#gpus.ids }),
      folder: this.#folder.path,
    };
    this.#run.record({
      type: 'task',
      time: now(),
      task: this.#scope.task,
      step: this.#scope.step,
      state: 'running',
      ...about,
    });

    const guards = new Guards(engine.rules, this.#staging.listReadOnly(), image);
    const { starter, isOffline } = this.#run.starters.choose(engine, sandbox.network, this.#slot);
    const command = engine.planCommand(sandbox, this.#slot.engine, { isOffline });
    const exit = await runCommand(command, {
      streams,
      starter,
      signal: this.#run.signal,
      timeLimit: evaluateTimeLimit(this.#scope.requirements, context),
      endCommand,
    });
    this.#run.signal.throwIfAborted();
    const reason = findFault(this.#tool, exit, guards);
    if (reason !== undefined) throw this.#failure(reason, exit, sandbox.argv, streams.stderr);
    try {
      const outputs = this.#collect(context, exit);
      await settleOutputs(outputs, this.#view());
      if (key !== undefined) await this.#keep(key, outputs, commandLine);
      return { outputs, isReused: false };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw this.#failure(error.message, exit, sandbox.argv, streams.stderr);
    }
  }

  #findEngine(sandbox: Sandbox): Engine {
    const engine = this.#container?.engine ?? this.#run.options.hostEngine;
    return engine.findSubstitute?.(sandbox) ?? engine;
  }

  /** Undefined where nothing is to be reused (CWL v1.2, WorkReuse). */
  async #findKey(context: Context, entries: WorkDirEntry[], sandbox: Sandbox): Promise<string | undefined> {
    const { cache } = this.#run;
    const { requirements, inputs } = this.#scope;
    if (!cache || !evaluateReuse(requirements, context)) return undefined;
    const { work, temporary, folder } = this.paths;
    const all = {
      tool: this.#tool,
      requirements,
      inputs,
      entries,
      argv: sandbox.argv,
      environment: sandbox.env,
      network: sandbox.network,
      image: this.#container?.image.digest,
      workGuest: work.guest,
      runtime: context.runtime,
      places: { [temporary.host]: '(temporary)', [folder]: '(task)' },
    };
    return toReuseKey(all, cache.digests);
  }

  async #keep(key: string, outputs: Record<string, Value>, commandLine: string): Promise<void> {
    try {
      await this.#run.cache?.store(key, outputs, { own: this.paths.work.host, commandLine });
    } catch (error) {
      this.#run.options.log.warn(
        `${this.#scope.task}: its result could not be put into the cache: ${(error as Error).message}`,
      );
    }
  }

  async #stage(context: Context): Promise<WorkDirEntry[]> {
    const { requirements } = this.#scope;
    this.#staging.addInputs(findPaths(context.inputs));
    const requirement = findRequirement(requirements, 'InitialWorkDirRequirement');
    if (!requirement) return [];
    const allowAbsolute = this.#container?.isRequired === true && !['v1.0', 'v1.1'].includes(this.#tool.cwlVersion);
    const inplace = findRequirement(requirements, 'InplaceUpdateRequirement')?.inplaceUpdate === true;
    const entries = evaluateWorkDir(requirement, context);
    for (const entry of entries) {
      if (entry.kind === 'path') {
        this.#locate(entry.value);
        completeNames(entry.value, { what: 'InitialWorkDirRequirement' });
      }
      await this.#staging.addToWorkDir(entry, { allowAbsolute, inplace });
    }
    for (const value of findPaths(context.inputs)) this.#staging.movePaths(value);
    return entries;
  }

  /** An expression may have made a File from the path of an input. */
  #locate(value: PathValue): void {
    if (value.location !== undefined || value.path === undefined) return;
    const known = findPaths(this.#scope.inputs).find(input => input.path === value.path);
    if (known) Object.assign(value, { location: known.location, basename: value.basename ?? known.basename });
  }

  /** What the tool does not name goes to its logs; what it names has the name of the log as well. */
  #openStreams(context: Context): Streams {
    const named = openNamedStreams(this.#tool, context, this.paths, this.#view());
    const open = (stream: 'stdout' | 'stderr'): string => {
      const log = this.#folder[stream];
      const target = named[stream];
      if (target !== undefined) {
        linkLog(target, log);
        return target;
      }
      this.#run.slots.openLog(this.#slot, log, stream);
      this.#logs.push({ path: log, stream });
      return log;
    };
    const stdout = open('stdout');
    const isShared = named.stderr !== undefined && named.stderr === named.stdout;
    return { stdin: named.stdin, stdout, stderr: isShared ? stdout : open('stderr') };
  }

  #collect(context: Context, exit: Exit): Record<string, Value> {
    const folder = openOutputFolder(this.#view(), this.paths.work.guest, this.#tool.cwlVersion);
    const json = join(this.paths.work.host, 'cwl.output.json');
    if (existsSync(json)) return readOutputObject(readFileSync(json, 'utf8'), this.#tool.outputs, folder);
    const after = { ...context, runtime: { ...context.runtime, exitCode: exit.code } };
    return collectOutputs(this.#tool.outputs, folder, after, this.#listing);
  }

  #view(): GuestView {
    const { work, temporary, isSandboxed } = this.paths;
    const { mounts } = this.#staging;
    const shown = isSandboxed ? mounts.map(mount => mount.guest) : mounts.flatMap(mount => [mount.guest, mount.host]);
    const inputs = isSandboxed ? shown : [...shown, ...this.#staging.inputFolders];
    const all = isSandboxed ? [work, temporary, { guest: '/tmp', host: temporary.host }, ...mounts] : [];
    const root = this.#container?.engine.findRoot?.(this.#slot.engine);
    const aliases = root === undefined ? [] : listAliases(root, all);
    return new GuestView(all, { isHost: !isSandboxed, outdir: work.guest, inputs, aliases });
  }

  #failure(reason: string, exit: Exit, argv: readonly string[], stderr: string): TaskFailure {
    const message = formatTaskFailure({
      task: this.#scope.task,
      reason,
      argv,
      image: this.#container?.image.reference,
      stderr,
      folder: this.#folder.path,
    });
    return new TaskFailure(message, reason, exit.code);
  }
}
