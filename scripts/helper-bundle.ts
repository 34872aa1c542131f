// The helper's bundle: a starter (`helper.cjs`), what it starts (`helper-main.cjs`) and the engine for JavaScript beside
// them (`quickjs.wasm`: as text in the bundle, every command would read it).
import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const engine = createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm');

/** Writes the three files into `folder`. `options` are esbuild's, such as `sourcemap` and `minify`. */
export async function buildHelper(folder: string, options: BuildOptions = {}): Promise<void> {
  await build({
    logLevel: 'warning',
    ...options,
    entryPoints: { helper: join(root, 'src/helper/start.ts'), 'helper-main': join(root, 'src/helper/main.ts') },
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22',
    // Code that is run with a cache (code-cache.ts) has `require` alone.
    supported: { 'dynamic-import': false },
    // The engine's loader asks where it is, which a CommonJS file can't say in this way; it is handed the engine anyway.
    define: { 'import.meta.url': '"file:///quickjs"' },
  });
  mkdirSync(folder, { recursive: true });
  copyFileSync(engine, join(folder, 'quickjs.wasm'));
}
