import { quoteShell } from '#base/command.ts';
import { Failure } from '#base/failure.ts';
import { type Context, evaluate, formatPlace } from './expression.ts';
import { isPath } from './file-value.ts';
import { type BoundInput, bindInputs, compareKeys, type SortKey, toPosition } from './input-binding.ts';
import type { CommandLineTool, InputBinding, Value } from './model.ts';
import { formatNumber } from './number.ts';

/**
 * The command line of a tool (CWL v1.2, CommandLineTool §Input binding). Files in `context.inputs` have their `path`.
 * With `shell` (ShellCommandRequirement) it is one text for `/bin/sh -c`.
 */
export function buildCommandLine(tool: CommandLineTool, context: Context, options: { shell: boolean }): string[] {
  const bound: BoundInput[] = [...bindArguments(tool, context), ...bindInputs(tool.inputs, context)];
  bound.sort((a, b) => compareKeys(a.key, b.key));
  if (!options.shell) return [...tool.baseCommand, ...bound.flatMap(item => toWords(item, context))];
  const words = bound.flatMap(item => {
    const quote = item.binding.shellQuote ? quoteShell : (word: string) => word;
    return toWords(item, context).map(quote);
  });
  return ['/bin/sh', '-c', [...tool.baseCommand.map(quoteShell), ...words].join(' ')];
}

function bindArguments(tool: CommandLineTool, context: Context): BoundInput[] {
  return tool.arguments.map((binding, index) => {
    const key: SortKey = [toPosition(binding, context, null), index];
    return { key, binding, value: null, isArgument: true };
  });
}

/** The elements that one binding adds (CWL v1.2, CommandLineBinding). */
function toWords(item: BoundInput, context: Context): string[] {
  const { binding } = item;
  const value =
    binding.valueFrom === undefined || (item.value === null && !item.isArgument)
      ? item.value
      : evaluate(binding.valueFrom, context, { self: item.value, place: binding.place });
  const alone = binding.prefix === undefined ? [] : [binding.prefix];
  if (value === null || value === false) return [];
  if (value === true) return alone;
  if (Array.isArray(value)) {
    if (value.length === 0) return [];
    if (binding.itemSeparator !== undefined)
      return join(binding, value.map(each => toWord(each, binding)).join(binding.itemSeparator));
    // Elements that come from the input object are bound by themselves; those that an expression made are not.
    return binding.valueFrom === undefined
      ? alone
      : [...alone, ...value.filter(each => each !== null).map(each => toWord(each, binding))];
  }
  if (typeof value === 'object' && !isPath(value)) return alone;
  return join(binding, toWord(value, binding));
}

function join(binding: InputBinding, word: string): string[] {
  if (binding.prefix === undefined) return [word];
  return binding.separate ? [binding.prefix, word] : [binding.prefix + word];
}

function toWord(value: Value, binding: InputBinding): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatNumber(value);
  if (isPath(value)) {
    if (value.path !== undefined) return value.path;
    throw new Failure(
      'cwl/expression',
      `${formatPlace(binding.place)}: ${value.class} ${value.basename ?? value.location ?? ''} has no path: only inputs of the tool are on its file system`,
    );
  }
  return JSON.stringify(value);
}
