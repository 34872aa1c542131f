// A user's day: write a document, run it on a cluster, look at what happens, go away and come back. Every part is real:
// VS Code's workbench, an SSH server, the packaged extension, a registry, the sandbox.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { busyboxImage } from '../../support/images.ts';
import { findUser, makeFolder, needPackages, run, type User } from '../../support/machine.ts';
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
  let scratch: ReturnType<typeof mountScratch>;
  let server: Server;
  let browser: Browser;
  let editor: Workbench;

  before(async () => {
    const codeServer = await installCodeServer();
    const vsix = packageExtension();
    const user = findUser();
    home = makeFolder(user, 'cwl-home-');
    // Nothing is left in the account's own home, which other tests use.
    sshd = await startSshd({ extra: [`SetEnv HOME=${home.path}`] });
    registry = await startRegistry();
    await pushImage(registry, 'library/busybox:1.36', busyboxImage());
    scratch = mountScratch(user);
    cpSync(join(import.meta.dirname, '../workspace'), workspace, { recursive: true });
    // Git keeps no empty folders.
    mkdirSync(join(workspace, 'empty'));
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
    scratch?.remove();
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
    page.setDefaultTimeout(60_000);
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
    await editor.answer('How the cluster is called', 'lab');
    await editor.dialog.filter({ hasText: sshd.fingerprint }).waitFor();
    await editor.screenshot('3-host-key');
    await editor.dialog.locator('.monaco-button', { hasText: 'Trust and Connect' }).click();
    await editor.line(/lab.*· connected/).waitFor();
    assert.match(readFileSync(join(folder, 'home/.ssh/known_hosts'), 'utf8'), /ssh-ed25519/);
    await editor.screenshot('4-connected');
  });

  step('the login node is tested, and says what it offers', async () => {
    await editor
      .line(/lab.*· connected/)
      .and(editor.page.locator('[aria-expanded]'))
      .waitFor();
    await editor.expand(/lab.*· connected/);
    await editor.line(/images run (?:at full speed|with PRoot).*login node/).waitFor();
    await editor.expand(/login node/);
    await editor.line(/tracing \(ptrace\).*is allowed/).waitFor();
    await editor.screenshot('4b-node');
    await editor
      .line(/lab.*· connected/)
      .first()
      .click();
    await editor.line(/login node/).waitFor({ state: 'detached' });
  });

  step('its settings are changed where its line leads to', async () => {
    await editor.clickInline('lab', 'Edit Settings');
    await editor.page.locator('.view-lines', { hasText: 'cwl.clusters' }).click();
    const clusters = [
      { name: 'lab', host: 'cluster', mirrors: { 'docker.io': registry.url }, outputFolder: scratch.path },
    ];
    const file = join(server.folder, 'data/User/settings.json');
    const settings = { ...(JSON.parse(readFileSync(file, 'utf8')) as object), 'cwl.clusters': clusters };
    await editor.replaceText(JSON.stringify(settings));
    await editor.line(/lab.*not connected/).waitFor();
    // It lies over the rest of the workbench.
    await editor.page.keyboard.press('Escape');
  });

  step('inputs are made from a template', async () => {
    await editor.openFile('flow.cwl');
    await editor.lens('Run on lab').click();
    await editor.pick('Make a file from a template');
    await editor.tab('flow-inputs.yml').waitFor();
    assert.match(await editor.editorText(), /words:/);
    await editor.screenshot('5-template');
    await editor.replaceText('words:\n- one\n- two\n- three\nticks: 120\n');
  });

  step('one click runs it, and warns of locks that do not hold', async () => {
    await editor.lens('Run on lab with flow-inputs.yml').click();
    await editor.notification(/locks do not hold/).waitFor();
    await editor.screenshot('6-lock-warning');
    await editor.line('flow.cwl').waitFor();
    await editor.line(/watch.*\d s/).waitFor();
    await editor.line(/greet.*3 of 3/).waitFor();
    await editor.screenshot('7-running');
  });

  step('the log of a step is followed', async () => {
    await editor.line(/^watch/).click();
    await editor.tab('watch').waitFor();
    await editor.page.locator('.view-line', { hasText: /^tick\s5$/ }).waitFor();
    // What is in sight moves along.
    await editor.page.locator('.view-line', { hasText: /^tick\s48$/ }).waitFor();
    await editor.screenshot('8-log');
  });

  step('the run goes on without the editor, which finds it again', async () => {
    await editor.page.close();
    editor = await newWindow();
    await editor.showViews();
    // A slow machine may take longer to open a window than the run takes to its end.
    await editor.line(/flow\.cwl/).waitFor();
    await editor.screenshot('9-again');
    await editor.line(/flow\.cwl.*done/).waitFor();
  });

  step('outputs open in the editors of VS Code', async () => {
    await editor.expand(/flow\.cwl.*done/);
    await editor.expand('Outputs');
    await editor.line('table.tsv').click();
    await editor.tab('table.tsv').waitFor();
    await editor.page.locator('.view-lines', { hasText: 'three' }).waitFor();
    await editor.screenshot('10-table');
    await editor.line('picture.png').click();
    await editor.tab('picture.png').waitFor();
    const preview = editor.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame');
    await preview.locator('img').waitFor();
    await editor.screenshot('11-picture');
  });

  step('a shell opens in the sandbox of a step, with its command line at the prompt', async () => {
    await editor.clickInline(/^\s*\[1\]/, 'Open Shell');
    await editor.terminalLine(/\$ echo hello two/).waitFor();
    await editor.screenshot('12-shell');
    await editor.typeInTerminal('\n');
    await editor.terminalLine(/^hello two/).waitFor();
    await editor.typeInTerminal('env | grep -c SSH_; pwd\n');
    await editor.terminalLine(/^0\s*$/).waitFor();
    await editor.terminalLine(/^\/w\s*$/).waitFor();
    await editor.typeInTerminal('exit\n');
    await editor.page.locator('.terminal-wrapper').waitFor({ state: 'detached' });
  });

  step('a step that fails tells how, and its log is one click away', async () => {
    await editor.openFile('fail.cwl');
    await editor.lens('Run on lab').click();
    await editor.pick('Run without inputs');
    await editor.line(/fail\.cwl.*failed/).waitFor();
    await editor.line(/^main\s*exit code 3/).waitFor();
    await editor
      .notification(/fail\.cwl on lab failed/)
      .locator('.monaco-button', { hasText: 'Show Log' })
      .click();
    await editor.page.locator('.view-line', { hasText: /^no\ssuch\sspecies$/ }).waitFor();
    await editor.screenshot('13-failed');
  });

  step('inputs of this machine go along with what lies beside them', async () => {
    await editor.openFile('beside.cwl');
    await editor.lens('Run on lab').click();
    await editor.pick('beside.yml');
    await editor.line(/beside\.cwl.*done/).waitFor();
    await editor.expand(/beside\.cwl.*done/);
    await editor.expand(/Outputs/);
    await editor.line('all.txt').click();
    await editor.tab('all.txt').waitFor();
    for (const text of ['a text', 'an index', 'a note'])
      await editor.page.locator('.view-line', { hasText: text.replace(' ', '\u00a0') }).waitFor();
    await editor.screenshot('14-beside');
  });

  step('a connection that breaks comes back by itself', async () => {
    await sshd.dropConnections();
    await editor.line(/lab.*lost/).waitFor();
    await editor.screenshot('15-lost');
    await editor.line(/lab.*· connected/).waitFor();
  });

  step('what was put on the cluster is removed, and listed', async () => {
    await editor.runCommand('CWL: Remove Helper From Cluster');
    await editor.dialog.locator('.monaco-button', { hasText: 'With Runs' }).click();
    await editor.page.locator('.view-lines', { hasText: 'Removed from lab' }).waitFor();
    await editor.screenshot('16-removed');
    assert.equal(existsSync(join(home.path, '.cwl-on-clusters')), false);
  });
});

/** A folder behind FUSE, whose locks hold on one machine only. */
function mountScratch(user: User): { path: string; remove(): void } {
  needPackages('bindfs');
  const source = makeFolder(user, 'cwl-scratch-');
  const mount = makeFolder(user, 'cwl-scratch-mount-');
  run('bindfs', ['-o', 'allow_other', source.path, mount.path]);
  return {
    path: mount.path,
    remove() {
      run('umount', ['-l', mount.path]);
      mount.remove();
      source.remove();
    },
  };
}
