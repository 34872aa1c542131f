// The demo in the editor: VS Code in the browser with the packaged extension, the demo's workflow, and the cluster.
// With --screenshot it does what a user would do, and leaves pictures in build/screenshots.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { formatFailure } from '#base/failure.ts';
import { installCodeServer, noCodeServer } from '../../test/extension/support/code-server.ts';
import { Workbench } from '../../test/extension/support/page.ts';
import { packageExtension } from '../../test/extension/support/vsix.ts';
import { launchBrowser, type Server, startServer } from '../../test/extension/support/workbench.ts';
import { noSshd } from '../../test/support/sshd.ts';
import { folder, openStage, root, type Stage } from './stage.ts';

const { values } = parseArgs({
  options: {
    editor: { type: 'boolean' },
    screenshot: { type: 'boolean' },
    engine: { type: 'string', default: 'proot' },
  },
});
const began = Date.now();
const interrupted = new Promise(resolve => {
  process.once('SIGINT', resolve);
  process.once('SIGTERM', resolve);
});
const workspace = join(folder, 'workspace');

try {
  const reason = noCodeServer ?? noSshd;
  if (reason) throw new Error(`left out: the editor, because ${reason}`);
  const stage = await openStage(say);
  try {
    makeWorkspace();
    const codeServer = await installCodeServer(say);
    say('packaging the extension and starting the editor');
    const server = await startServer(codeServer, {
      workspace,
      vsix: await packageExtension(),
      settings: settingsFor(stage),
    });
    try {
      if (values.screenshot) await clickThrough(server);
      else {
        say(`open ${server.url}`);
        say('choose "Run on demo" above the workflow in workflow.cwl; Ctrl-C here ends it all');
        await interrupted;
      }
    } finally {
      await server.stop();
    }
  } finally {
    await stage.close();
  }
} catch (error) {
  console.error(formatFailure(error));
  process.exitCode = 1;
}

/** The documents and the data side by side, as a user would have them. */
function makeWorkspace(): void {
  rmSync(workspace, { recursive: true, force: true });
  mkdirSync(workspace, { recursive: true });
  cpSync(join(root, 'demo'), workspace, { recursive: true });
  cpSync(join(folder, 'data'), join(workspace, 'data'), { recursive: true });
  const inputs = readFileSync(join(root, 'demo/inputs.yml'), 'utf8').replaceAll('../build/demo/data/', 'data/');
  writeFileSync(join(workspace, 'inputs.yml'), inputs);
}

function settingsFor(stage: Stage): Record<string, unknown> {
  const cluster = {
    name: 'demo',
    host: 'cluster',
    sshConfig: stage.sshd?.config,
    folder: '$HOME/.cwl-on-clusters-demo',
    engine: values.engine,
    mirrors: { 'quay.io': stage.registry.url },
  };
  // The folder lies in a checkout, which is not what is shown here.
  return { 'cwl.clusters': [cluster], 'cwl.defaultCluster': 'demo', 'git.openRepositoryInParentFolders': 'never' };
}

async function clickThrough(server: Server): Promise<void> {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.setDefaultTimeout(60_000);
    const editor = new Workbench(page);
    try {
      await drive(editor, server);
    } catch (error) {
      await editor.screenshot('demo-failed');
      throw error;
    }
  } finally {
    await browser.close();
  }
}

/** What a user would do: open the workflow, click, choose the inputs, watch, look at the plot. */
async function drive(editor: Workbench, server: Server): Promise<void> {
  await editor.open(server.url);
  await editor.openFile('workflow.cwl');
  await editor.showViews();
  await editor
    .lens(/Run on/)
    .first()
    .waitFor();
  await editor.screenshot('demo-1-document');
  await editor
    .lens(/Run on/)
    .first()
    .click();
  await editor.pick('inputs.yml');
  const run = editor.line(/workflow\.cwl.*(\d of|running|starting)/).first();
  await run.waitFor();
  await editor.screenshot('demo-2-running');
  await editor
    .line(/workflow\.cwl.*done/)
    .first()
    .waitFor({ timeout: 300_000 });
  await editor.line('Outputs').first().waitFor();
  // Outputs stand at the end of a list that holds only the lines in sight.
  await editor.line('Outputs').first().hover();
  const plot = editor.line(/lambda\.coverage\.png/).first();
  for (let turns = 0; turns < 20 && !(await plot.isVisible()); turns++) {
    await editor.page.mouse.wheel(0, 200);
    await sleep(250);
  }
  await plot.click();
  await editor.tab('lambda.coverage.png').waitFor();
  await editor.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame').locator('img').waitFor();
  await editor.screenshot('demo-3-coverage');
  say('pictures are in build/screenshots');
}

function say(text: string): void {
  console.log(`[${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s] ${text}`);
}
