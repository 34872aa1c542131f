import { findHostPlatform, formatPlatform, type Platform } from '#registry/platform.ts';
import { applyArg, type BuildState } from './build-config.ts';
import { type Dockerfile, type Instruction, parseDockerfile } from './dockerfile.ts';
import { expandWord } from './dockerfile-words.ts';

/** Images that a Dockerfile starts or copies from, as far as it says so without arguments from outside; nothing is looked up. */
export function findBaseImages(text: string): string[] {
  const file = parseDockerfile(text);
  const globals = findGlobals(file, new Map(), findHostPlatform());
  const stages = new Set<string | undefined>(['scratch']);
  const images = file.stages.flatMap(stage => {
    const base = expandWord(stage.base, { lookup: name => globals.get(name), escapeMark: file.escapeMark });
    const named = [base, ...stage.instructions.flatMap(findSources)];
    const found = named.filter(name => !stages.has(name.toLowerCase()) && !/^\d+$/.test(name));
    stages.add(stage.name);
    return found;
  });
  return [...new Set(images)];
}

/** What an instruction takes files from: `COPY --from=NAME`, `RUN --mount=type=bind,from=NAME`. */
function findSources({ keyword, flags }: Instruction): string[] {
  return flags.flatMap(({ name, value }) => {
    if (keyword === 'COPY' && name === 'from') return [value];
    const from = keyword === 'RUN' && name === 'mount' ? /(?:^|,)from=([^,]+)/.exec(value)?.[1] : undefined;
    return from ?? [];
  });
}

/** ARGs before the first FROM, and those that are always there (Dockerfile reference, "Automatic platform ARGs"). */
export function findGlobals(
  file: Dockerfile,
  given: ReadonlyMap<string, string>,
  platform: Platform,
): Map<string, string> {
  const host = findHostPlatform();
  const globals = new Map<string, string>();
  for (const [prefix, each] of Object.entries({ BUILD: host, TARGET: platform })) {
    globals.set(`${prefix}PLATFORM`, formatPlatform(each));
    globals.set(`${prefix}OS`, each.os);
    globals.set(`${prefix}ARCH`, each.architecture);
    globals.set(`${prefix}VARIANT`, each.variant ?? '');
  }
  const config = { env: {}, entrypoint: [], command: [], architecture: platform.architecture };
  const state: BuildState = { config, args: globals, escapeMark: file.escapeMark, hasCommand: false };
  for (const instruction of file.globals) applyArg(instruction, state, given, globals);
  return globals;
}
