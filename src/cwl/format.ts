/** Classes of file formats and how they follow from each other: a format's IRI to those that include it. */
export type Ontology = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Why a file of format `actual` is not allowed where `allowed` are; undefined where it is: the same, an equivalent,
 * or a subclass (CWL v1.2, File.format). A file without a format is taken on trust.
 */
export function checkFormat(
  actual: string | undefined,
  allowed: readonly string[],
  ontology: Ontology,
): string | undefined {
  if (actual === undefined || allowed.length === 0) return undefined;
  const seen = new Set([actual]);
  for (const format of seen) {
    if (allowed.includes(format)) return undefined;
    for (const wider of ontology.get(format) ?? []) seen.add(wider);
  }
  return `its format ${actual} is not ${allowed.join(' or ')}`;
}

const subClassOf = 'http://www.w3.org/2000/01/rdf-schema#subClassOf';
const equivalentClass = 'http://www.w3.org/2002/07/owl#equivalentClass';

/** Adds what a document of an ontology says of subclasses and equivalent classes. */
export function addTriples(
  ontology: Map<string, Set<string>>,
  triples: Iterable<readonly [subject: string, predicate: string, object: string]>,
): void {
  const add = (narrow: string, wide: string) => {
    const set = ontology.get(narrow) ?? new Set();
    ontology.set(narrow, set.add(wide));
  };
  for (const [subject, predicate, object] of triples) {
    if (predicate === subClassOf || predicate === equivalentClass) add(subject, object);
    if (predicate === equivalentClass) add(object, subject);
  }
}
