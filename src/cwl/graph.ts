import type { Process, Step, Workflow } from './model.ts';
import { toShortName } from './uri.ts';

/** The steps of a workflow and their links as a graph in the DOT language; subworkflows are boxes around their steps. */
export function formatGraph(process: Process): string {
  const lines = ['digraph workflow {', '  rankdir=LR;', '  node [shape=box, fontname="sans-serif"];'];
  if (process.class === 'Workflow') lines.push(...formatWorkflow(process, '', '  '));
  else {
    const name = quote(process.label ?? toShortName(process.id));
    for (const input of process.inputs)
      lines.push(
        `  ${quote(`in/${input.id}`)} [label=${quote(input.id)}, shape=ellipse];`,
        `  ${quote(`in/${input.id}`)} -> ${name};`,
      );
    for (const output of process.outputs)
      lines.push(
        `  ${quote(`out/${output.id}`)} [label=${quote(output.id)}, shape=ellipse];`,
        `  ${name} -> ${quote(`out/${output.id}`)};`,
      );
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

/** `path` is where the workflow stands: `` for the outermost one, `align/` for one that the step align runs. */
function formatWorkflow(workflow: Workflow, path: string, indent: string): string[] {
  const lines: string[] = [];
  const ports = (kind: 'in' | 'out', ids: string[]) => {
    for (const id of ids) lines.push(`${indent}${quote(`${path}${kind}/${id}`)} [label=${quote(id)}, shape=ellipse];`);
  };
  ports(
    'in',
    workflow.inputs.map(input => input.id),
  );
  ports(
    'out',
    workflow.outputs.map(output => output.id),
  );
  for (const step of workflow.steps) {
    if (step.run.class !== 'Workflow') {
      lines.push(`${indent}${quote(path + step.id)} [label=${quote(labelOf(step))}];`);
      continue;
    }
    lines.push(
      `${indent}subgraph ${quote(`cluster_${path}${step.id}`)} {`,
      `${indent}  label=${quote(labelOf(step))};`,
    );
    lines.push(...formatWorkflow(step.run, `${path}${step.id}/`, `${indent}  `), `${indent}}`);
  }
  const tail = (source: string) => {
    const at = source.indexOf('/');
    if (at < 0) return `${path}in/${source}`;
    const step = workflow.steps.find(each => each.id === source.slice(0, at));
    return step?.run.class === 'Workflow'
      ? `${path}${step.id}/out/${source.slice(at + 1)}`
      : `${path}${source.slice(0, at)}`;
  };
  const edges = new Set<string>();
  for (const step of workflow.steps) {
    for (const input of step.in) {
      const head = step.run.class === 'Workflow' ? `${path}${step.id}/in/${input.id}` : path + step.id;
      for (const source of input.source) edges.add(`${quote(tail(source))} -> ${quote(head)}`);
    }
  }
  for (const output of workflow.outputs) {
    for (const source of output.outputSource)
      edges.add(`${quote(tail(source))} -> ${quote(`${path}out/${output.id}`)}`);
  }
  return [...lines, ...[...edges].map(edge => `${indent}${edge};`)];
}

function labelOf(step: Step): string {
  const notes = [
    step.scatter.length > 0 ? `for each ${step.scatter.join(', ')}` : '',
    step.when === undefined ? '' : 'if',
  ];
  return [step.label ?? step.id, ...notes.filter(Boolean)].join('\n');
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
