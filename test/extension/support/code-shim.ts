// Stands for the `code` program where there is none to download: takes its arguments, opens code-server in a browser,
// and ends with the verdict of the tests that ran inside the extension host.
import { format } from 'node:util';
import { installCodeServer } from './code-server.ts';
import { launchBrowser, startServer } from './workbench.ts';

const option = (name: string) =>
  process.argv.find(argument => argument.startsWith(`--${name}=`))?.slice(name.length + 3) ?? '';
const workspace = process.argv.slice(2).find(argument => !argument.startsWith('-')) ?? process.cwd();

/** Milliseconds for all tests. */
const patience = 180_000;

async function runTests(): Promise<number> {
  const server = await startServer(await installCodeServer(), { workspace, hasTestDriver: true });
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    const verdict = new Promise<number>(resolve => {
      void page.exposeFunction('codeAutomationExit', resolve);
      setTimeout(resolve, patience, 1).unref();
    });
    await page.exposeFunction('codeAutomationLog', (_: string, words: unknown[]) => {
      if (/^(ok|not ok|\d+ passed)/.test(String(words[0]))) console.log(format(...words));
    });
    const remote = (path: string) => `vscode-remote://${server.authority}${path}`;
    const payload = [
      ['extensionDevelopmentPath', remote(option('extensionDevelopmentPath'))],
      ['extensionTestsPath', remote(option('extensionTestsPath'))],
      ['skipWelcome', 'true'],
    ];
    await page.goto(`${server.url}&payload=${encodeURIComponent(JSON.stringify(payload))}`);
    return await verdict;
  } finally {
    await browser.close();
    await server.stop();
  }
}

process.exit(await runTests());
