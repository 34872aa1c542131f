import { Failure } from '#base/failure.ts';
import type { ImageSource } from '#runner/options.ts';

/** The images that DockerRequirements name, from the store or its registries. */
export function openImageSource(options: { store: string; mirrors: Record<string, string> }): ImageSource {
  return {
    resolve: async requirement => {
      throw new Failure('image/none', `${requirement.dockerPull} is not in ${options.store}`);
    },
  };
}
