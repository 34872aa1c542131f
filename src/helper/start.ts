/**
 * What `helper.cjs` is: it lets Node keep the compiled code of the helper itself (`helper-main.cjs`, made from
 * `main.ts`) below the home, which halves the time to the first line. Node can only do that for files that are loaded
 * after it was asked to.
 */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { findHome } from './home.ts';

// Where it can't be written, Node goes on without.
enableCompileCache(join(findHome().folder, 'cache'));
const main = './helper-main.cjs';
require(main);
