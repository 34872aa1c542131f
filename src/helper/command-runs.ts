import type { RunDetail, RunSummary, TaskSummary } from '#protocol/runs.ts';
import { type HelperCommand, type Invocation, usageFailure } from './command-line.ts';
import { findHome, type Home } from './home.ts';
import { RunCatalog } from './run-catalog.ts';
import { cancelRun, removeRun } from './run-end.ts';
import { resumeRun } from './run-start.ts';
import { formatDuration, formatTable } from './table.ts';

/** `runs list|show|cancel|resume|remove [RUN...] [--json]`: the runs that `serve` shows, for people without an editor. */
export const runs: HelperCommand = async invocation => {
  const isJson = invocation.args.includes('--json');
  const words = invocation.args.filter(word => word !== '--json');
  const wrong = words.find(word => word.startsWith('-'));
  if (wrong) throw usageFailure(`runs has no option ${wrong}`);
  const [verb = 'list', ...ids] = words;
  const action = actions[verb];
  if (!action) throw usageFailure(`runs can list, show, cancel, resume and remove, not ${verb}`);
  if (verb !== 'list' && ids.length === 0)
    throw usageFailure(`which run? helper.cjs runs ${verb} RUN`, 'runs list shows them.');
  if (verb === 'list' && ids.length > 0) throw usageFailure('runs list takes no run: use runs show');
  const home = findHome();
  await action({ home, catalog: new RunCatalog(home), ids, isJson, invocation });
  return 0;
};

interface Call {
  home: Home;
  catalog: RunCatalog;
  ids: string[];
  isJson: boolean;
  invocation: Invocation;
}

const actions: Record<string, (call: Call) => Promise<void>> = {
  async list({ catalog, isJson, invocation }) {
    const summaries = await catalog.list();
    if (isJson) invocation.stdout(`${JSON.stringify(summaries, null, 2)}\n`);
    else if (summaries.length === 0) invocation.stdout('no runs\n');
    else invocation.stdout(formatRuns(summaries));
  },
  async show({ catalog, ids, isJson, invocation }) {
    for (const id of ids) {
      const detail = (await catalog.find(id)).toDetail();
      invocation.stdout(isJson ? `${JSON.stringify(detail, null, 2)}\n` : formatDetail(detail));
    }
  },
  async cancel(call) {
    await forEach(call, async id => cancelRun((await call.catalog.find(id)).run));
  },
  async resume(call) {
    await forEach(call, async id => resumeRun(call.home, (await call.catalog.find(id)).run));
  },
  async remove(call) {
    await forEach(call, async id => removeRun(call.home, (await call.catalog.find(id)).run), false);
  },
};

/** Does it to each run, and then tells in which state it is. */
async function forEach(call: Call, action: (id: string) => Promise<void>, tells = true): Promise<void> {
  for (const id of call.ids) {
    await action(id);
    if (!tells) continue;
    const summary = (await call.catalog.find(id)).toSummary();
    call.invocation.stdout(call.isJson ? `${JSON.stringify(summary)}\n` : `${id} ${summary.state}\n`);
  }
}

export function formatRuns(summaries: readonly RunSummary[]): string {
  const rows = summaries.map(summary => {
    const { total, done, failed, running } = summary.tasks;
    const tasks = `${done}/${total}${running ? `, ${running} running` : ''}${failed ? `, ${failed} failed` : ''}`;
    return [
      summary.id,
      summary.state,
      summary.started.slice(0, 19).replace('T', ' '),
      durationOf(summary),
      tasks,
      summary.label,
    ];
  });
  return formatTable([['RUN', 'STATE', 'STARTED (UTC)', 'TIME', 'TASKS', 'LABEL'], ...rows]);
}

export function formatDetail(detail: RunDetail): string {
  const head = [
    ['run', detail.id],
    ['label', detail.label],
    ['state', detail.state],
    ['started', detail.started],
    ...(detail.ended ? [['ended', detail.ended]] : []),
    ...(detail.hostname ? [['node', detail.hostname]] : []),
    ...(detail.engine ? [['engine', [detail.engine.name, detail.engine.why].filter(Boolean).join(': ')]] : []),
    ['outputs in', detail.outdir],
    ['folder', detail.folder],
    ...(detail.message ? [['message', indent(detail.message)]] : []),
    ...(detail.progress ? [['now', formatProgress(detail.progress)]] : []),
    ...(detail.locks ?? []).map(finding => ['warning', finding.message]),
  ];
  const tasks = detail.taskList.map(task => [
    task.id,
    task.state,
    task.started ? durationOf(task) : '',
    task.exitCode === undefined ? '' : `exit ${task.exitCode}`,
    (task.message ?? task.image ?? '').split('\n')[0] ?? '',
  ]);
  const list = tasks.length > 0 ? `\n${formatTable([['TASK', 'STATE', 'TIME', 'EXIT', 'NOTE'], ...tasks])}` : '';
  const outputs = detail.outputs ? `\noutputs ${JSON.stringify(detail.outputs, null, 2)}\n` : '';
  return formatTable(head) + list + formatRules(detail.taskList) + outputs;
}

/** Who sees to the rules, once for all tasks of which the same is to be told. */
function formatRules(tasks: readonly TaskSummary[]): string {
  const counts = new Map<string, { row: string[]; count: number }>();
  for (const { engine, rules } of tasks) {
    if (engine === undefined || rules === undefined) continue;
    const { network = 'granted', writes, inputs, rootfs } = rules;
    const row = [engine, network, writes, inputs, rootfs];
    const known = counts.get(row.join());
    if (known) known.count++;
    else counts.set(row.join(), { row, count: 1 });
  }
  if (counts.size === 0) return '';
  const rows = [...counts.values()].map(({ row, count }) => [...row, String(count)]);
  return `\n${formatTable([['ENGINE', 'NETWORK', 'WRITES', 'INPUTS', 'IMAGE', 'TASKS'], ...rows])}`;
}

function durationOf(timed: { started?: string; ended?: string }): string {
  const end = timed.ended ? Date.parse(timed.ended) : Date.now();
  return formatDuration(end - Date.parse(timed.started ?? ''));
}

function formatProgress({ what, done, total, unit }: NonNullable<RunDetail['progress']>): string {
  const amount = (count: number) => (unit === 'bytes' ? `${(count / 1_000_000).toFixed(1)} MB` : String(count));
  return `${what} ${amount(done)}${total === undefined ? '' : ` of ${amount(total)}`}`;
}

function indent(text: string): string {
  return text.trimEnd().replaceAll('\n', `\n${' '.repeat(12)}`);
}
