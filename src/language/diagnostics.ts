import { type Diagnostic, DiagnosticSeverity } from 'vscode-languageserver';
import type { Problem } from '#base/problem.ts';
import { loadProcess } from '#cwl/load.ts';
import type { Reader } from '#cwl/reader.ts';
import { decode } from '#cwl/uri.ts';

/** The problems of open documents, by the document in which each stands. */
export class Diagnostics {
  /** For each document that was checked: what it read, and the problems found, by document. */
  readonly #checked = new Map<string, { documents: Set<string>; problems: Map<string, Problem[]> }>();
  readonly #reader: Reader;
  readonly #publish: (uri: string, diagnostics: Diagnostic[]) => void;

  constructor(reader: Reader, publish: (uri: string, diagnostics: Diagnostic[]) => void) {
    this.#reader = reader;
    this.#publish = publish;
  }

  /** Checks `uri` with everything that it refers to; `isStale` tells that its text has changed meanwhile. */
  async check(uri: string, isStale: () => boolean): Promise<void> {
    const loaded = await loadProcess(uri, { reader: this.#reader, everything: true });
    if (isStale()) return;
    const grouped = new Map<string, Problem[]>([[uri, []]]);
    for (const problem of loaded.problems) grouped.set(problem.uri, [...(grouped.get(problem.uri) ?? []), problem]);
    // One that is missing may be made.
    const documents = new Set([...loaded.documents, ...loaded.missing].map(decode));
    this.#replace(uri, { documents, problems: grouped });
  }

  /** Checked documents that read `uri`, so that a change of it is a change of theirs. */
  dependents(uri: string): string[] {
    return [...this.#checked].flatMap(([root, { documents }]) =>
      root !== uri && documents.has(decode(uri)) ? [root] : [],
    );
  }

  remove(uri: string): void {
    this.#replace(uri, undefined);
  }

  #replace(root: string, checked: { documents: Set<string>; problems: Map<string, Problem[]> } | undefined): void {
    const before = this.#checked.get(root);
    if (checked) this.#checked.set(root, checked);
    else this.#checked.delete(root);
    const changed = new Set([...(before?.problems.keys() ?? []), ...(checked?.problems.keys() ?? [])]);
    for (const uri of changed) this.#publish(uri, this.#collect(uri));
  }

  /** What several documents found in the same one is told once. */
  #collect(uri: string): Diagnostic[] {
    const all = [...this.#checked.values()].flatMap(({ problems }) => problems.get(uri) ?? []);
    return [...new Map(all.map(problem => [JSON.stringify(problem), problem])).values()].map(toDiagnostic);
  }
}

export function toDiagnostic({ range, message, code, severity }: Problem): Diagnostic {
  const severities = {
    error: DiagnosticSeverity.Error,
    warning: DiagnosticSeverity.Warning,
    information: DiagnosticSeverity.Information,
  };
  return { range, message, code, source: 'cwl', severity: severities[severity] };
}
