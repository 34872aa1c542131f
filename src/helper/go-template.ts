import { usageFailure } from './command-line.ts';

/** A piece of a template: text, a value to print, or a block with what it holds. */
type Piece =
  | { kind: 'text'; text: string }
  | { kind: 'value'; pipeline: string }
  | { kind: 'if' | 'range' | 'with'; pipeline: string; body: Piece[]; other: Piece[] };

/**
 * Fills in a template of Go (text/template), as far as `docker ... --format` is used: fields, `index`, `json`, `join`,
 * `len`, `println`, `print`, `upper`, `lower`, `eq`, `ne`, `not`, pipes, `if`, `range`, `with` and `else`. Throws a Failure
 * `helper/usage` for what is not among them.
 */
export function formatTemplate(template: string, data: unknown): string {
  const tokens = template.split(/(\{\{.*?\}\})/s).filter(each => each !== '');
  const pieces = parsePieces(tokens, false);
  return render(pieces, data, data);
}

function parsePieces(tokens: string[], isInside: boolean): Piece[] {
  const pieces: Piece[] = [];
  for (let token = tokens.shift(); token !== undefined; token = tokens.shift()) {
    const [, action] = /^\{\{-?\s*(.*?)\s*-?\}\}$/s.exec(token) ?? [];
    if (action === undefined) {
      pieces.push({ kind: 'text', text: token });
      continue;
    }
    const [, word = '', pipeline = ''] = /^(if|range|with|else|end)\b\s*(.*)$/s.exec(action) ?? [];
    if (word === '') pieces.push({ kind: 'value', pipeline: action });
    else if (word === 'end' || word === 'else') {
      if (!isInside) throw wrong(`${token} ends nothing`);
      tokens.unshift(token);
      return pieces;
    } else pieces.push(parseBlock(word as 'if', pipeline, tokens));
  }
  if (isInside) throw wrong('an {{end}} is missing');
  return pieces;
}

function parseBlock(kind: 'if' | 'range' | 'with', pipeline: string, tokens: string[]): Piece {
  const body = parsePieces(tokens, true);
  const isElse = /^\{\{-?\s*else\s*-?\}\}$/.test(tokens.shift() as string);
  const other = isElse ? parsePieces(tokens, true) : [];
  if (isElse) tokens.shift();
  return { kind, pipeline, body, other };
}

function render(pieces: readonly Piece[], at: unknown, root: unknown): string {
  return pieces
    .map(piece => {
      if (piece.kind === 'text') return piece.text;
      const value = evaluate(piece.pipeline, at, root);
      if (piece.kind === 'value') return print(value);
      if (!isTrue(value)) return render(piece.other, at, root);
      if (piece.kind === 'if') return render(piece.body, at, root);
      if (piece.kind === 'with') return render(piece.body, value, root);
      const items = Array.isArray(value) ? value : sortedEntries(value as object).map(([, each]) => each);
      return items.map(each => render(piece.body, each, root)).join('');
    })
    .join('');
}

function evaluate(pipeline: string, at: unknown, root: unknown): unknown {
  let piped: unknown[] = [];
  for (const command of splitPipes(pipeline)) {
    const words = command.match(wordPattern) ?? [];
    if (words.join('').length !== command.replace(/\s+(?=(?:[^"`]|"[^"]*"|`[^`]*`)*$)/g, '').length)
      throw wrong(command);
    const [name = '', ...rest] = words;
    const values = rest.map(word => resolveWord(word, at, root));
    const run = functions[name];
    if (run) piped = [run(...values, ...piped)];
    else if (values.length + piped.length === 0) piped = [resolveWord(name, at, root)];
    else throw wrong(`there is no function ${name}`);
  }
  return piped[0];
}

const wordPattern = /"(?:[^"\\]|\\.)*"|`[^`]*`|\([^()]*\)|[^\s()"`]+/g;

function splitPipes(pipeline: string): string[] {
  const parts = pipeline.match(/(?:"(?:[^"\\]|\\.)*"|`[^`]*`|\([^()]*\)|[^|])+/g) ?? [];
  if (parts.length === 0) throw wrong('{{}} says nothing');
  return parts.map(each => each.trim());
}

function resolveWord(word: string, at: unknown, root: unknown): unknown {
  if (word.startsWith('"')) return JSON.parse(word);
  if (word.startsWith('`')) return word.slice(1, -1);
  if (word.startsWith('(')) return evaluate(word.slice(1, -1), at, root);
  if (/^-?\d+$/.test(word)) return Number(word);
  if (word === 'true' || word === 'false') return word === 'true';
  if (word === '.') return at;
  if (word === '$') return root;
  if (!/^\$?(\.\w+)+$/.test(word)) throw wrong(`${word} is not understood`);
  const start = word.startsWith('$') ? root : at;
  return word
    .replace(/^\$?\./, '')
    .split('.')
    .reduce<unknown>((value, name) => getKey(value, name), start);
}

function getKey(value: unknown, key: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.hasOwn(value, String(key)) ? (value as Record<string, unknown>)[String(key)] : undefined;
}

const functions: Record<string, (...values: unknown[]) => unknown> = {
  json: value => JSON.stringify(value) ?? 'null',
  index: (value, ...keys) => keys.reduce((found, key) => getKey(found, key), value),
  len: value => (typeof value === 'string' ? value.length : Object.keys((value ?? []) as object).length),
  join: (values, separator) => (Array.isArray(values) ? values : []).join(String(separator)),
  println: (...values) => `${values.map(print).join(' ')}\n`,
  print: (...values) => values.map(print).join(' '),
  upper: value => print(value).toUpperCase(),
  lower: value => print(value).toLowerCase(),
  eq: (a, ...others) => others.some(each => each === a),
  ne: (a, b) => a !== b,
  not: value => !isTrue(value),
};

/** As Go prints: `[a b]`, `map[k:v]`, `<no value>`. */
function print(value: unknown): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(print).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  return `map[${sortedEntries(value)
    .map(([key, each]) => `${key}:${print(each)}`)
    .join(' ')}]`;
}

function sortedEntries(value: object): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

function isTrue(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

function wrong(reason: string) {
  return usageFailure(`--format: ${reason}`, 'It is a template of Go, such as {{.Id}} or {{json .Config}}.');
}
