import { Failure } from '#base/failure.ts';
import { digestOf } from '#registry/digest.ts';
import { configLimit, manifestLimit } from '#registry/manifest.ts';
import { type Archive, type Candidate, readSlice } from './archive.ts';

/**
 * The images of `docker save` since Docker 1.10: `manifest.json` has the paths of configurations and layers (moby,
 * image/tarexport). Undefined where there is none.
 */
export function findSaved(archive: Archive, place: string): Candidate[] | undefined {
  const manifest = archive.find('manifest.json');
  if (!manifest) return undefined;
  return parseSaved(readSlice(manifest, manifestLimit), place).map(({ Config = '', RepoTags, Layers = [] }) => ({
    names: RepoTags ?? [],
    async open() {
      const slice = archive.find(Config);
      if (!slice) throw new Failure('image/invalid-archive', `${place} lacks ${Config || 'a configuration'}`);
      const config = readSlice(slice, configLimit);
      const layers = Layers.map(file => ({ name: file, file }));
      // The digest of the configuration is what Docker calls the image's id.
      return { digest: digestOf(config), config, layers };
    },
  }));
}

function parseSaved(
  bytes: Buffer,
  place: string,
): { Config?: string; RepoTags?: string[] | null; Layers?: string[] }[] {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new Failure('image/invalid-archive', `the manifest.json of ${place} is not JSON`, { cause });
  }
  const isTexts = (value: unknown) => Array.isArray(value) && value.every(each => typeof each === 'string');
  const isValid =
    Array.isArray(json) &&
    json.every(each => typeof each?.Config === 'string' && isTexts(each.Layers ?? []) && isTexts(each.RepoTags ?? []));
  if (!isValid) {
    throw new Failure('image/invalid-archive', `the manifest.json of ${place} is not what \`docker save\` writes`, {
      hint: 'Make the archive again with `docker save`, or give the folder of an OCI layout.',
    });
  }
  return json as { Config?: string; RepoTags?: string[] | null; Layers?: string[] }[];
}
