// Shows a run while it goes on: a table that is redrawn where a terminal can do that, else a line for each change.
import type { RunDetail, TaskState } from '#protocol/runs.ts';

const marks: Record<TaskState, string> = {
  waiting: '·',
  preparing: '↓',
  running: '▶',
  success: '✔',
  failure: '✖',
  skipped: '-',
  cancelled: '✖',
  reused: '✔',
};

export interface RunDisplay {
  show(run: RunDetail): void;
}

export function openDisplay(output: NodeJS.WriteStream): RunDisplay {
  return output.isTTY ? new Table(output) : new Lines(output);
}

class Table implements RunDisplay {
  readonly #output: NodeJS.WriteStream;
  #height = 0;

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
  }

  show(run: RunDetail): void {
    const lines = run.steps.map(step => formatStep(run, step));
    lines.push(run.state === 'running' ? formatProgress(run) : `  ${run.state}`);
    const width = this.#output.columns || 80;
    const text = lines.map(line => `\x1b[2K${line.slice(0, width - 1)}\n`).join('');
    this.#output.write((this.#height > 0 ? `\x1b[${this.#height}A` : '') + text);
    this.#height = lines.length;
  }
}

class Lines implements RunDisplay {
  readonly #output: NodeJS.WriteStream;
  readonly #shown = new Map<string, string>();

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
  }

  show(run: RunDetail): void {
    for (const task of run.taskList) {
      if (task.state === 'waiting') continue;
      const tool = task.state === 'running' && task.commandLine ? `: ${task.commandLine.slice(0, 100)}` : '';
      this.#tell(task.id, `  ${marks[task.state]} ${task.id} ${task.state}${tool}`);
    }
    if (run.progress) this.#tell('progress', `    ${run.progress.what}`);
  }

  #tell(subject: string, line: string): void {
    if (this.#shown.get(subject) === line) return;
    this.#shown.set(subject, line);
    this.#output.write(`${line}\n`);
  }
}

function formatStep(run: RunDetail, step: { id: string; label?: string }): string {
  const tasks = run.taskList.filter(task => task.step === step.id);
  const state = tasks.map(task => marks[task.state]).join('') || marks.waiting;
  const first = tasks.find(task => task.started)?.started;
  const last = tasks.every(task => task.ended) ? tasks.at(-1)?.ended : undefined;
  const seconds = first && last ? `${((Date.parse(last) - Date.parse(first)) / 1000).toFixed(1)} s` : '';
  return `  ${state.padEnd(3)} ${step.id.padEnd(12)} ${(step.label ?? '').padEnd(36)} ${seconds.padStart(7)}`;
}

function formatProgress(run: RunDetail): string {
  const { progress } = run;
  if (!progress) return '  running';
  const unit = progress.unit === 'bytes' ? ([1e6, ' MB'] as const) : ([1, ''] as const);
  const done = (progress.done / unit[0]).toFixed(0);
  const total = progress.total === undefined ? '' : ` of ${(progress.total / unit[0]).toFixed(0)}`;
  return `  ${progress.what}: ${done}${total}${unit[1]}`;
}
