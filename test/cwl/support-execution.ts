// Hand-made parts of documents for the tests of execution.
import type { Context } from '#cwl/expression.ts';
import type { InputBinding, InputParameter, Place, PrimitiveName, Type, Value } from '#cwl/model.ts';

export const place: Place = {
  uri: 'file:///d/tool.cwl',
  range: { start: { line: 2, character: 4 }, end: { line: 2, character: 9 } },
};

export function makeContext(inputs: Record<string, Value> = {}, change: Partial<Context> = {}): Context {
  return {
    version: 'v1.2',
    inputs,
    runtime: { outdir: '/w', cores: 2 },
    lib: undefined,
    evaluator: undefined,
    ...change,
  };
}

export function primitive(name: PrimitiveName): Type {
  return { kind: 'primitive', name };
}

export function makeBinding(change: Partial<InputBinding> = {}): InputBinding {
  return { separate: true, shellQuote: true, loadContents: false, place, ...change };
}

export function makeInput(id: string, type: Type, inputBinding?: InputBinding): InputParameter {
  return { id, type, inputBinding, place, secondaryFiles: [], format: [], streamable: false, loadContents: false };
}
