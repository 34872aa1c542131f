import type { StoredImage } from '#image/image-record.ts';

/** An image in the words of `docker inspect` (Docker Engine API, ImageInspect), as far as it is known here. */
export function describeImage(image: StoredImage): Record<string, unknown> {
  const { digest, created, bytes, config, references, rootfs } = image;
  const [os = 'linux', architecture = config.architecture, variant] = (references[0]?.platform ?? '').split('/');
  return {
    Id: digest,
    RepoTags: references.map(each => splitName(each.reference).join(':')),
    RepoDigests: references.map(each => `${splitName(each.reference)[0]}@${digest}`),
    Created: created,
    Author: config.author ?? '',
    Architecture: config.architecture === 'unknown' ? architecture : config.architecture,
    ...(variant !== undefined && { Variant: variant }),
    Os: os || 'linux',
    Size: bytes,
    Config: {
      Env: Object.entries(config.env).map(([key, value]) => `${key}=${value}`),
      Entrypoint: config.entrypoint.length > 0 ? config.entrypoint : null,
      Cmd: config.command.length > 0 ? config.command : null,
      WorkingDir: config.workingDirectory ?? '',
      User: config.user ?? '',
      Labels: config.labels ?? null,
      Volumes: toSet(config.volumes),
      OnBuild: config.onBuild ?? null,
      // As with Docker these are only there where they are set.
      ...(config.exposedPorts && { ExposedPorts: toSet(config.exposedPorts) }),
      ...(config.stopSignal !== undefined && { StopSignal: config.stopSignal }),
      ...(config.healthcheck && { Healthcheck: config.healthcheck }),
      ...(config.shell && { Shell: config.shell }),
    },
    GraphDriver: { Name: 'directory', Data: { Root: rootfs } },
  };
}

/** Docker's own short name: `debian` for `docker.io/library/debian:latest`, and the tag. */
export function splitName(reference: string): [name: string, tag: string] {
  const short = reference.replace(/^docker\.io\/(library\/)?/, '');
  const [, name = short, tag = '<none>'] = /^([^@]*?)(?::([^:/@]*))?(?:@.*)?$/.exec(short) ?? [];
  return [name, tag];
}

function toSet(names: readonly string[] | undefined): Record<string, object> | null {
  return names ? Object.fromEntries(names.map(name => [name, {}])) : null;
}
