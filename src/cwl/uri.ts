/** References between documents, as RFC 3986 resolves them. No Node API: `URL` is not in every place this runs. */

/** True for `scheme:...`; one letter is a drive on Windows, not a scheme. */
export function isAbsoluteUri(reference: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]+:/.test(reference);
}

/** `reference` against `base` (RFC 3986 §5.2); spaces are encoded, nothing else is changed. */
export function resolveUri(base: string, reference: string): string {
  const encoded = reference.includes(' ') ? reference.replaceAll(' ', '%20') : reference;
  if (isAbsoluteUri(encoded)) return encoded;
  const [baseDocument] = splitFragment(base);
  if (encoded === '') return baseDocument;
  if (encoded.startsWith('#')) return baseDocument + encoded;
  const root = /^[A-Za-z][A-Za-z0-9+.-]+:(?:\/\/[^/]*)?/.exec(baseDocument)?.[0] ?? '';
  if (encoded.startsWith('//')) return root.slice(0, root.indexOf(':') + 1) + encoded;
  const [path, rest] = splitPath(encoded);
  if (path.startsWith('/')) return root + removeDots(path) + rest;
  const [basePath] = splitPath(baseDocument.slice(root.length));
  return root + removeDots(path === '' ? basePath : basePath.replace(/[^/]*$/, '') + path) + rest;
}

/** Document and fragment, the latter without its `#`. */
export function splitFragment(uri: string): [document: string, fragment: string | undefined] {
  const at = uri.indexOf('#');
  return at < 0 ? [uri, undefined] : [uri.slice(0, at), uri.slice(at + 1)];
}

/** A local path (absolute, or relative to the document) as a reference: everything that a URI would read otherwise is encoded. */
export function pathToReference(path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return path.startsWith('/') ? `file://${encoded}` : encoded;
}

/** The local path behind a `file:` URI; undefined for others. */
export function toLocalPath(uri: string): string | undefined {
  if (!uri.startsWith('file:')) return undefined;
  const path = splitFragment(uri)[0].replace(/^file:(?:\/\/[^/]*)?/, '');
  return decode(path);
}

/** The last part of an identifier: `#main/step/out` and `file:///x.cwl#step/out` are both `out`. */
export function toShortName(identifier: string): string {
  return identifier.slice(Math.max(identifier.lastIndexOf('/'), identifier.lastIndexOf('#')) + 1);
}

export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function splitPath(reference: string): [path: string, rest: string] {
  const at = reference.search(/[?#]/);
  return at < 0 ? [reference, ''] : [reference.slice(0, at), reference.slice(at)];
}

function removeDots(path: string): string {
  if (!path.includes('./') && !path.endsWith('/..') && !path.endsWith('/.')) return path;
  const output: string[] = [];
  const parts = path.split('/');
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    if (part === '..') {
      if (output.length > 1) output.pop();
      if (isLast) output.push('');
    } else if (part === '.') {
      if (isLast) output.push('');
    } else output.push(part);
  }
  return output.join('/');
}
