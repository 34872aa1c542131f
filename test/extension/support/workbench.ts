// The workbench as a user has it: code-server on loopback in throw-away folders, Debian's Chromium in front of it.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, chromium } from 'playwright-core';
import { findFreePort } from '../../support/sshd.ts';
import type { CodeServer } from './code-server.ts';

const chromiumProgram = '/usr/bin/chromium';

export interface ServerOptions {
  /** Folder that is opened. */
  workspace: string;
  /** Packaged extension to install. */
  vsix?: string;
  /** Settings of the user, besides those that keep the workbench quiet. */
  settings?: Record<string, unknown>;
  /** HOME of the extension host: where it looks for `.ssh`. */
  home?: string;
  env?: Record<string, string>;
  /** For tests that run inside the extension host; notifications are not shown then. */
  hasTestDriver?: boolean;
}

export interface Server {
  url: string;
  authority: string;
  /** Where the server keeps its things: settings, logs. */
  folder: string;
  stop(): Promise<void>;
}

export async function startServer(codeServer: CodeServer, options: ServerOptions): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'cwl-editor-'));
  const data = join(folder, 'data');
  const home = options.home ?? join(folder, 'home');
  mkdirSync(join(data, 'User'), { recursive: true });
  mkdirSync(home, { recursive: true });
  writeFileSync(
    join(data, 'User/settings.json'),
    JSON.stringify({ ...quietSettings, ...options.settings }, undefined, 2),
  );
  const folders = ['--user-data-dir', data, '--extensions-dir', join(folder, 'extensions')];
  const env = environmentFor(folder, home, options.env);
  if (options.vsix) {
    await finish(spawn(codeServer.node, [codeServer.entry, ...folders, '--install-extension', options.vsix], { env }));
  }
  const port = await findFreePort();
  const authority = `127.0.0.1:${port}`;
  const args = [
    codeServer.entry,
    ...['--auth', 'none', '--bind-addr', authority, '--disable-telemetry', '--disable-update-check'],
    ...['--disable-workspace-trust', '--disable-getting-started-override', ...folders],
    ...(options.hasTestDriver ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
    options.workspace,
  ];
  // A process group of its own, because it starts others.
  const server = spawn(codeServer.node, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(join(folder, 'server.log'));
  server.stdout.pipe(log);
  server.stderr.pipe(log);
  await waitUntilHealthy(authority, server);
  const url = `http://${authority}/?folder=${encodeURIComponent(options.workspace)}`;
  return { url, authority, folder, stop: () => stopServer(server, folder) };
}

/** Debian's Chromium; throws where it is missing. */
export function launchBrowser(): Promise<Browser> {
  if (!existsSync(chromiumProgram)) throw new Error('apt-get install chromium');
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', ...quiet];
  return chromium.launch({ executablePath: chromiumProgram, headless: true, args });
}

const quietSettings = {
  // Only then the text of a terminal stands in the page.
  'terminal.integrated.gpuAcceleration': 'off',
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'telemetry.telemetryLevel': 'off',
  'workbench.enableExperiments': false,
  'window.confirmBeforeClose': 'never',
  'editor.hover.delay': 1000,
};

/** The caller's environment without what another VS Code or npm left in it. */
function environmentFor(folder: string, home: string, extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(VSCODE_|npm_|SSH_|PORT$|NODE_OPTIONS$)/.test(name));
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    // No look-ups of extensions.
    EXTENSIONS_GALLERY: '{}',
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'share'),
    ...extra,
  };
}

async function waitUntilHealthy(authority: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (server.exitCode !== null) throw new Error(`code-server ended with ${server.exitCode}`);
    const answer = await fetch(`http://${authority}/healthz`).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(100);
  }
  throw new Error('code-server did not answer within 30 s');
}

async function stopServer(server: ChildProcess, folder: string): Promise<void> {
  const ended = new Promise(resolve => server.once('exit', resolve));
  const kill = (signal: NodeJS.Signals) => {
    try {
      process.kill(-(server.pid as number), signal);
    } catch {
      // All of the group has ended.
    }
  };
  if (server.exitCode === null && server.signalCode === null) {
    kill('SIGTERM');
    await Promise.race([ended, sleep(5000)]);
  }
  kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

function finish(child: ChildProcess): Promise<void> {
  let output = '';
  child.stdout?.on('data', data => (output += data));
  child.stderr?.on('data', data => (output += data));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => (code === 0 ? resolve() : reject(new Error(`ended with ${code}: ${output}`))));
  });
}
