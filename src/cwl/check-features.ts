import type { Problem } from '#base/problem.ts';
import { checkExpressions } from './check-expressions.ts';
import type { Process, Requirement, Step, Workflow } from './model.ts';
import { fieldOf, type MapNode, problemAt } from './node.ts';
import type { Reading } from './reading.ts';

type Feature = Extract<Requirement['class'], `${string}FeatureRequirement` | 'StepInputExpressionRequirement'>;

/** Features that a process, or one inside it, uses without asking for them (CWL v1.2, Workflow §WorkflowStep). */
export function checkFeatures(process: Process, origins: Reading['origins']): Problem[] {
  const problems: Problem[] = [];
  const done = new Set<string>();
  const visit = (each: Process, inherited: ReadonlySet<string>) => {
    const features = extend(inherited, each);
    const key = `${each.id} ${[...features].sort().join()}`;
    if (done.has(key)) return;
    done.add(key);
    const origin = origins.get(each);
    const hasJavascript = features.has('InlineJavascriptRequirement');
    if (origin) problems.push(...checkExpressions(origin, each.cwlVersion, hasJavascript));
    if (each.class === 'Workflow') visitWorkflow(each, features);
  };
  const visitWorkflow = (workflow: Workflow, features: ReadonlySet<string>) => {
    for (const output of workflow.outputs) {
      if (output.outputSource.length > 1 && !features.has('MultipleInputFeatureRequirement')) {
        tell(output, 'outputSource', 'MultipleInputFeatureRequirement', 'Several sources need');
      }
    }
    for (const step of workflow.steps) {
      const own = extend(features, step);
      for (const [feature, holder, field, use] of usesOf(step))
        if (!own.has(feature)) tell(holder, field, feature, use);
      visit(step.run, own);
    }
  };
  const tell = (holder: object, field: string, feature: Feature, use: string) => {
    const node = origins.get(holder) as MapNode;
    const at = node.entries.get(field)?.key ?? fieldOf(node, field) ?? node;
    problems.push(
      problemAt(at, 'cwl/missing-requirement', `${use} ${feature} among the requirements of the workflow.`),
    );
  };
  visit(process, new Set());
  return problems;
}

function extend(
  inherited: ReadonlySet<string>,
  holder: { requirements: Requirement[]; hints: Requirement[] },
): Set<string> {
  return new Set([...inherited, ...[...holder.requirements, ...holder.hints].map(each => each.class)]);
}

function usesOf(step: Step): [feature: Feature, holder: object, field: string, use: string][] {
  const uses: [Feature, object, string, string][] = [];
  if (step.run.class === 'Workflow')
    uses.push(['SubworkflowFeatureRequirement', step, 'run', 'A workflow as a step needs']);
  if (step.scatter.length > 0) uses.push(['ScatterFeatureRequirement', step, 'scatter', 'A scatter needs']);
  for (const input of [...step.in, ...(step.loop?.inputs ?? [])]) {
    if (input.source.length > 1)
      uses.push(['MultipleInputFeatureRequirement', input, 'source', 'Several sources need']);
    if (input.valueFrom !== undefined) {
      uses.push(['StepInputExpressionRequirement', input, 'valueFrom', 'valueFrom in a step needs']);
    }
  }
  return uses;
}
