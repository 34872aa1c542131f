import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { formatCommand } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import type { Sandbox } from '#engine/sandbox.ts';
import type { TaskSummary } from '#protocol/runs.ts';
import { findTaskSandbox, type TaskSandbox } from '#runner/task-sandboxes.ts';
import { type HelperCommand, usageFailure } from './command-line.ts';
import { selectEngine } from './engines.ts';
import { findHome } from './home.ts';
import { RunCatalog } from './run-catalog.ts';
import { isTaskEnded } from './run-fold.ts';
import { describeRunFolder } from './run-folder.ts';
import { RunReader } from './run-reader.ts';
import { runSandbox } from './run-sandbox.ts';

/** Where the shell finds the function `step`, inside. */
const startFile = '/.cwl-step';

/**
 * `shell [--docker-command CMD] RUN STEP [-- COMMAND...]`: a shell, or a command, in the sandbox of a task: the same root, binds, environment
 * and working directory. RUN is an id, or the path of a run's folder; STEP a task (`align[2]`) or the first of a step.
 * A task that still runs is not touched, but its working directory is the shared one.
 */
export const shell: HelperCommand = async invocation => {
  const { run, step, command, dockerCommand } = parseShell(invocation.args);
  const task = await findTask(run, step);
  const description = findTaskSandbox(dirname(dirname(task.folder)), task.id);
  if (!description) throw notBegun(task.id);
  const { engine: name, commandLine, image } = description;
  const temporary = mkdtempSync(join(task.folder, 'shell-'));
  try {
    let sandbox = isTaskEnded(task.state) ? withOwnTemporary(description, task.folder, temporary) : description.sandbox;
    // Where PRoot had to pretend a newer kernel, "auto" does it again.
    const engine = await selectEngine(sandbox.kernelRelease === undefined ? name : 'auto', { dockerCommand });
    if (engine.warning !== undefined) invocation.stderr(`${engine.warning}\n`);
    if (sandbox.rootfs !== undefined && engine.prepare)
      sandbox = { ...sandbox, rootfs: await engine.prepare(sandbox.rootfs, invocation.signal) };
    if (command.length > 0)
      return await runSandbox(engine, { ...sandbox, argv: command }, temporary, invocation.signal);
    invocation.stderr(
      `The sandbox of ${task.id}${image ? `, in ${image}` : ''}. \`step\` runs its command line, with what follows it added:\n  ${commandLine}\n`,
    );
    return await runSandbox(engine, planShell(sandbox, temporary), temporary, invocation.signal);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
};

function parseShell(args: readonly string[]) {
  const end = args.indexOf('--');
  const command = end < 0 ? [] : args.slice(end + 1);
  if (end >= 0 && command.length === 0) throw usageFailure('there is no command after --');
  const words: string[] = [];
  let dockerCommand: string | undefined;
  const own = end < 0 ? args : args.slice(0, end);
  for (let at = 0; at < own.length; at++) {
    const [, option = '', inline] = /^(--[^=]*)(?:=(.*))?$/s.exec(own[at] as string) ?? [];
    if (option === '') words.push(own[at] as string);
    else if (option === '--docker-command') {
      dockerCommand = inline ?? own[++at];
      if (dockerCommand === undefined) throw usageFailure(`${option} needs a value`);
    } else throw usageFailure(`shell does not take ${option}`, 'What is to be run in the sandbox stands after --.');
  }
  const [run, step, ...rest] = words;
  if (run === undefined || step === undefined || rest.length > 0) throw usageFailure('shell takes a run and a step');
  return { run, step, command, dockerCommand };
}

/** The temporary files of a task that failed are still there; those of others are gone, and another task may use their place. */
function withOwnTemporary({ sandbox, tmpdir }: TaskSandbox, folder: string, temporary: string): Sandbox {
  const kept = join(folder, 'tmp');
  const own = existsSync(kept) ? kept : join(temporary, 'tmp');
  mkdirSync(own, { recursive: true });
  const inJson = (path: string) => JSON.stringify(path).slice(1, -1);
  return JSON.parse(JSON.stringify(sandbox).replaceAll(inJson(tmpdir), inJson(own))) as Sandbox;
}

/** bash where the image has it, otherwise sh; both read a start file, which is the one thing added to the sandbox. */
function planShell(sandbox: Sandbox, temporary: string): Sandbox {
  const host = join(temporary, 'start');
  const guest = sandbox.rootfs === undefined ? host : startFile;
  // History would become a file of the working directory, and so perhaps an output.
  writeFileSync(host, `unset ENV HISTFILE\nPS1='step:\\w\\$ '\nstep() { ${formatCommand(sandbox.argv)} "$@"; }\n`);
  const start = `if [ -x /bin/bash ]; then exec /bin/bash --noprofile --rcfile ${guest} -i; else exec /bin/sh -i; fi`;
  return {
    ...sandbox,
    binds: [...sandbox.binds, { host, guest, writable: false }],
    env: { ...sandbox.env, ENV: guest, TERM: process.env.TERM ?? 'dumb' },
    argv: ['/bin/sh', '-c', start],
  };
}

async function findTask(run: string, step: string): Promise<TaskSummary & { folder: string }> {
  const reader = run.includes('/') ? new RunReader(describeRunFolder(run, resolve(run))) : undefined;
  await reader?.refresh();
  const tasks = (reader ?? (await new RunCatalog(findHome()).find(run))).toDetail().taskList;
  const task = tasks.find(each => each.id === step) ?? tasks.find(each => each.step === step && each.folder);
  if (!task) {
    throw new Failure('run/no-task', `run ${run} has no step ${step}`, {
      hint: `It has: ${tasks.map(each => each.id).join(', ') || 'none yet'}.`,
    });
  }
  if (task.folder === undefined) throw notBegun(task.id);
  return { ...task, folder: task.folder };
}

function notBegun(task: string): Failure {
  return new Failure('run/no-sandbox', `${task} has not begun: there is no sandbox to open a shell in`, {
    hint: 'Wait until the step is running, or look why it could not start.',
  });
}
