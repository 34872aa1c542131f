// Runs the suite inside the extension host of a VS Code, as VS Code's own test runner starts it.
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { runTests } from '@vscode/test-electron';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '../../..');

/** What the suite printed; throws with it where a test failed. `program`: instead of a VS Code that is downloaded. */
export async function runHostTests(program?: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-host-'));
  const workspace = join(folder, 'workspace');
  const suite = join(folder, 'suite.cjs');
  cpSync(join(import.meta.dirname, '../workspace'), workspace, { recursive: true });
  await build({
    entryPoints: [join(import.meta.dirname, '../host/suite.ts')],
    outfile: suite,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['vscode'],
  });
  let output = '';
  const stdout = new Writable({
    write(chunk, _, done) {
      output += String(chunk);
      done();
    },
  });
  try {
    await runTests({
      vscodeExecutablePath: program,
      extensionDevelopmentPath: root,
      extensionTestsPath: suite,
      launchArgs: [workspace, '--disable-extensions', '--disable-workspace-trust'],
      stdout,
      stderr: stdout,
    });
    return output;
  } catch (error) {
    throw new Error(`${String(error)}\n${output}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A program that is called as `code` is. */
export function makeCodeShim(): { program: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-code-'));
  const program = join(folder, 'code');
  mkdirSync(folder, { recursive: true });
  const shim = join(import.meta.dirname, 'code-shim.ts');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${shim}' "$@"\n`);
  chmodSync(program, 0o755);
  return { program, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
