import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from './store.ts';

/** How a store keeps images: as files, as archives that each node unpacks, or what fits its file system. */
export const imageForms = ['auto', 'files', 'archive'] as const;
export type ImageForm = (typeof imageForms)[number];

const fileName = 'form.json';

/** What the store in this folder was set to. */
export function readForm(folder: string): ImageForm {
  try {
    const { form } = JSON.parse(readFileSync(join(folder, fileName), 'utf8')) as { form?: ImageForm };
    return imageForms.find(each => each === form) ?? 'auto';
  } catch {
    return 'auto';
  }
}

/** How images that come from now on are kept; those that are there stay as they are. */
export function saveForm(store: Store, form: ImageForm): void {
  const path = store.temporaries.make('form');
  writeFileSync(path, `${JSON.stringify({ form })}\n`);
  store.publish(path, join(store.folder, fileName));
}
