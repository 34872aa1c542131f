/**
 * What `helper.cjs` is: it runs the helper itself (`helper-main.cjs`, made from `main.ts`) with the code that was
 * compiled before and is kept below the home.
 */
import { join } from 'node:path';
import { runWithCodeCache } from './code-cache.ts';
import { findHome } from './home.ts';

runWithCodeCache(join(__dirname, 'helper-main.cjs'), {
  folder: join(findHome().folder, 'cache'),
  topic: process.argv[2] ?? '',
});
