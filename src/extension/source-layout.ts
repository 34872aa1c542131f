/**
 * Where the documents and inputs of a run lie below its source folder: as they lie to each other on this machine, so
 * that relative references between them hold.
 */

/** Below the source folder: `tools/sort.cwl`; the same for the same URI whatever else is uploaded. */
export interface SourceLayout {
  /** Path below the source folder of a `file:` URI; undefined for one that is not laid out. */
  find(uri: string): string | undefined;
}

/** `uris`: `file:` URIs of documents, files and directories. */
export function layOut(uris: readonly string[]): SourceLayout {
  const paths = uris.map(toSegments);
  const folders = paths.map(path => path.slice(0, -1));
  let common = folders[0] ?? [];
  for (const folder of folders) {
    let length = 0;
    while (length < common.length && common[length] === folder[length]) length++;
    common = common.slice(0, length);
  }
  const depth = common.length;
  // The same URI may be spelled with more or fewer characters escaped.
  const known = new Map(paths.map(path => [path.join('/'), path.slice(depth).join('/')]));
  return { find: uri => known.get(toSegments(uri).join('/')) };
}

/**
 * The input object with locations as the cluster knows them: of what is laid out the path below the source folder, of
 * other `file:` URIs the path on the cluster; other schemes stay.
 */
export function mapLocations(value: unknown, layout: SourceLayout): unknown {
  if (Array.isArray(value)) return value.map(item => mapLocations(item, layout));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, mapLocations(item, layout)]));
  if (fields.class !== 'File' && fields.class !== 'Directory') return fields;
  const { location } = fields;
  if (typeof location !== 'string' || !/^file:/i.test(location)) return fields;
  const path = layout.find(location);
  return { ...fields, location: path === undefined ? `/${toSegments(location).join('/')}` : encodePath(path) };
}

/** Decoded parts of the path; a drive letter is one of them. */
function toSegments(uri: string): string[] {
  const path = uri.replace(/^file:(\/\/[^/]*)?/i, '').replace(/[?#].*$/, '');
  return path.split('/').filter(Boolean).map(decode);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text).replaceAll('/', '%2F');
  } catch {
    return text;
  }
}

/** A location is a URI reference (CWL v1.2, File). */
function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
