/** Subject, predicate and object, all of them IRIs. */
export type Triple = readonly [subject: string, predicate: string, object: string];

const token =
  /#[^\n]*|<([^>]*)>|("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(@?[\w.-]*[\w-]?:(?:[\w%-]|\.(?=[\w%-]))*|@[\w-]+|\^\^|[\w+-]+(?:\.\w+)?)|([.;,[\]()])/gu;
const rdfType = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#type';

/** The triples of a Turtle document whose parts are all IRIs (W3C RDF 1.1 Turtle); literals and blank nodes are passed over. */
export function parseTurtle(text: string): Triple[] {
  const prefixes = new Map<string, string>();
  const triples: Triple[] = [];
  /** IRIs of the statement so far; undefined for what is no IRI. */
  let statement: (string | undefined)[] = [];
  let words: string[] = [];
  let depth = 0;
  let isDatatype = false;
  for (const [, iri, literal, word, mark] of text.matchAll(token)) {
    if (mark !== undefined) {
      if (mark === '[' || mark === '(') depth++;
      else if (mark === ']' || mark === ')') {
        depth--;
        if (depth === 0) statement.push(undefined);
      } else if (depth === 0) {
        const [subject, predicate, object] = statement;
        if (words[0] === '@prefix') prefixes.set((words[1] ?? ':').slice(0, -1), statement.at(-1) ?? '');
        else if (subject && predicate && object) triples.push([subject, predicate, object]);
        statement = mark === '.' ? [] : mark === ';' ? [subject] : [subject, predicate];
        if (mark === '.') words = [];
      }
      continue;
    }
    if (depth > 0) continue;
    if (isDatatype || (word?.startsWith('@') && statement.length > 0)) {
      isDatatype = false;
      continue;
    }
    if (word === '^^') isDatatype = true;
    else if (iri !== undefined && /^prefix$/i.test(words[0] ?? '')) {
      // SPARQL's form of a prefix ends without a period.
      prefixes.set((words[1] ?? ':').slice(0, -1), iri);
      words = [];
    } else if (iri !== undefined) statement.push(iri);
    else if (literal !== undefined) statement.push(undefined);
    else if (word !== undefined) {
      if (statement.length === 0) words.push(word);
      if (/^@?(?:prefix|base)$/i.test(words[0] ?? '')) continue;
      statement.push(word === 'a' ? rdfType : expand(word, prefixes));
    }
  }
  return triples;
}

function expand(name: string, prefixes: Map<string, string>): string | undefined {
  const at = name.indexOf(':');
  const prefix = at < 0 ? undefined : prefixes.get(name.slice(0, at));
  return prefix === undefined ? undefined : prefix + name.slice(at + 1);
}
