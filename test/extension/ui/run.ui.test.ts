// A user's day: write a document, run it on a cluster, look at what happens, go away and come back. Every part is real:
// VS Code's workbench, an SSH server, the packaged extension, a registry, the sandbox.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { busyboxImage } from '../../support/images.ts';
import { makeFolder } from '../../support/machine.ts';
import { noRegistry, pushImage, type Registry, startRegistry } from '../../support/registry.ts';
import { noSshd, type Sshd, startSshd } from '../../support/sshd.ts';
import { installCodeServer, noCodeServer } from '../support/code-server.ts';
import { Workbench } from '../support/page.ts';
import { packageExtension } from '../support/vsix.ts';
import { launchBrowser, type Server, startServer } from '../support/workbench.ts';

const skip = noCodeServer ?? noSshd ?? noRegistry ?? false;

describe('in the editor', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-ui-'));
  const workspace = join(folder, 'workspace');
  let sshd: Sshd;
  let registry: Registry;
  let home: ReturnType<typeof makeFolder>;
  let server: Server;
  let browser: Browser;
  let editor: Workbench;

  before(async () => {
    const codeServer = await installCodeServer();
    const vsix = packageExtension();
    sshd = await startSshd();
    registry = await startRegistry();
    await pushImage(registry, 'library/busybox:1.36', busyboxImage());
    home = makeFolder(sshd.user, 'cwl-home-');
    cpSync(join(import.meta.dirname, '../workspace'), workspace, { recursive: true });
    writeSshConfig();
    server = await startServer(codeServer, {
      workspace,
      vsix: await vsix,
      home: join(folder, 'home'),
      settings: { 'editor.autoClosingBrackets': 'never', 'editor.autoIndent': 'none' },
    });
    browser = await launchBrowser();
    editor = await newWindow();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    await sshd?.stop();
    await registry?.stop();
    home?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The user's own: the host is known by its alias, its key is not known yet. */
  function writeSshConfig(): void {
    const ssh = join(folder, 'home', '.ssh');
    mkdirSync(ssh, { recursive: true, mode: 0o700 });
    const config = readFileSync(sshd.config, 'utf8')
      .replace(/UserKnownHostsFile .*/, `UserKnownHostsFile ${ssh}/known_hosts`)
      .replace('StrictHostKeyChecking yes', 'StrictHostKeyChecking ask');
    writeFileSync(join(ssh, 'config'), config);
  }

  async function newWindow(): Promise<Workbench> {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.setDefaultTimeout(30_000);
    const workbench = new Workbench(page);
    await workbench.open(server.url);
    return workbench;
  }

  let hasFailed = false;
  /** Each goes on where the last one stopped. */
  function step(name: string, work: () => Promise<void>): void {
    test(name, async t => {
      if (hasFailed) return t.skip('what it goes on from has failed');
      try {
        await work();
      } catch (error) {
        hasFailed = true;
        await editor.screenshot(`failed-${name.replace(/\W+/g, '-')}`);
        throw error;
      }
    });
  }

  step('a fault gets a squiggle that names the cure, and the cure takes it away', async () => {
    await editor.openFile('broken.cwl');
    await editor.page.locator('.squiggly-error').first().waitFor();
    await editor.screenshot('1-squiggle');
    await editor.page
      .locator('.view-line', { hasText: 'baseComand' })
      .locator('span', { hasText: 'baseComand' })
      .last()
      .dblclick();
    await editor.page.keyboard.insertText('baseCommand');
    await editor.page.locator('.squiggly-error').first().waitFor({ state: 'detached' });
    await editor.page.keyboard.press('Control+S');
  });

  step('a cluster is added from the SSH configuration, and its unknown key is asked about', async () => {
    await editor.showViews();
    await editor.page.locator('.welcome-view-content a', { hasText: 'Add a cluster' }).click();
    await editor.screenshot('2-choose-host');
    await editor.pick('cluster');
    await editor.answer('lab');
    await editor.dialog.filter({ hasText: sshd.fingerprint }).waitFor();
    await editor.screenshot('3-host-key');
    await editor.dialog.locator('.monaco-button', { hasText: 'Trust and Connect' }).click();
    await editor.line(/lab.*connected/).waitFor({ timeout: 60_000 });
    assert.match(readFileSync(join(folder, 'home/.ssh/known_hosts'), 'utf8'), /ssh-ed25519/);
    await editor.screenshot('4-connected');
  });
});
