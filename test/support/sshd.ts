// A real OpenSSH server on loopback for one test: its own port, host keys, client keys, config and known_hosts, all in
// one folder that is removed at the end. Needs root (to log people in) and Debian.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findUser, isRoot, needPackages, run, type User } from './machine.ts';

/** Why no sshd can be started here; undefined where it can. Tests skip with it. */
export const noSshd: string | undefined =
  process.platform !== 'linux' || !isRoot
    ? 'starting an SSH server that logs another user in needs root on Linux'
    : undefined;

export interface SshdOptions {
  /** `AuthenticationMethods` of sshd_config(5); default `publickey`. */
  authenticationMethods?: string;
  /** Keyboard-interactive asks for a one-time code (TOTP) after the password, in a second round. */
  oneTimeCode?: boolean;
  /** Whether there is an sftp subsystem; default true. */
  sftp?: boolean;
  /** Shown before the authentication. */
  banner?: string;
  /** The login shell of the account, with a start-up file that prints noise on standard output; default bash, quiet. */
  shell?: 'tcsh' | 'fish' | 'noisy-bash';
  /** `MaxSessions`: channels with a program over one connection. */
  maxSessions?: number;
  /** `MaxAuthTries`; default 6. */
  maxAuthTries?: number;
  /** Names that this server alone can resolve: it is the gateway to them. */
  hosts?: Record<string, string>;
  /** Refuses connections through it; default false: it may be a jump host. */
  refuseForwarding?: boolean;
  /** Whoever logs in has no network at all. */
  offline?: boolean;
  /** Default 127.0.0.1. */
  address?: string;
  /** Default ed25519 and rsa, in this order. */
  hostKeyTypes?: ('ed25519' | 'rsa' | 'ecdsa')[];
  /** Fixes the port, for a server that comes back after it was stopped. */
  port?: number;
  /** Whether the key file is protected; the phrase is in `passphrase`. */
  encryptedKey?: boolean;
  /** Who must be able to read the key and the config on the client's side; default the caller. */
  client?: { uid: number; gid: number };
  /** More lines of sshd_config(5). */
  extra?: string[];
}

export interface Sshd {
  host: string;
  port: number;
  /** The account that logs in. */
  user: User;
  /** Password of the account: random, the same for all tests on this machine. */
  password: string;
  /** Holds everything below. */
  folder: string;
  /** `ssh -F` file with one host, `cluster`. */
  config: string;
  knownHosts: string;
  identity: string;
  passphrase: string;
  /** `ssh-keygen -l` of the first host key: `SHA256:...`. */
  fingerprint: string;
  /** Public host key files. */
  hostKeys: string[];
  /** The code that a person would read off their phone now. */
  oneTimeCode(): string;
  /** What sshd wrote, at LogLevel VERBOSE. */
  log(): string;
  /** Breaks every connection at once (SIGKILL to the processes that serve them); the server stays. */
  dropConnections(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  needPackages('openssh-server', 'openssh-client', ...packagesOf(options));
  const user = accountFor(options.shell);
  const password = givePassword(user);
  const folder = mkdtempSync(join(tmpdir(), 'cwl-sshd-'));
  chmodSync(folder, 0o755);
  const host = options.address ?? '127.0.0.1';
  const port = options.port ?? (await findFreePort(host));
  const identity = join(folder, 'client', 'id_ed25519');
  const passphrase = options.encryptedKey ? randomBytes(12).toString('hex') : '';
  const secret = 'JBSWY3DPEHPK3PXP';

  mkdirSync(join(folder, 'client'), { mode: 0o755 });
  run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', 'test', '-f', identity]);
  writeFileSync(join(folder, 'authorized_keys'), readFileSync(`${identity}.pub`), { mode: 0o644 });
  const hostKeys = (options.hostKeyTypes ?? ['ed25519', 'rsa']).map(type => {
    const file = join(folder, `host_${type}`);
    run('ssh-keygen', ['-q', '-t', type, ...(type === 'rsa' ? ['-b', '2048'] : []), '-N', '', '-C', '', '-f', file]);
    return `${file}.pub`;
  });
  if (options.offline) {
    writeFileSync(join(folder, 'offline'), offlineShell);
    chmodSync(join(folder, 'offline'), 0o755);
  }
  writeFileSync(join(folder, 'sshd_config'), serverConfig(folder, host, port, user, hostKeys, options));
  if (options.banner) writeFileSync(join(folder, 'banner'), options.banner);
  writeFileSync(join(folder, 'totp'), `${secret}\n" WINDOW_SIZE 17\n" TOTP_AUTH\n`, { mode: 0o400 });

  const knownHosts = join(folder, 'client', 'known_hosts');
  const label = port === 22 ? host : `[${host}]:${port}`;
  writeFileSync(knownHosts, hostKeys.map(file => `${label} ${keyOf(file)}\n`).join(''), { mode: 0o644 });
  const config = join(folder, 'client', 'config');
  writeFileSync(config, clientConfig(host, port, user, identity, knownHosts), { mode: 0o644 });
  if (options.client) {
    for (const name of ['', ...readdirSync(join(folder, 'client'))]) {
      chownSync(join(folder, 'client', name), options.client.uid, options.client.gid);
    }
  }

  const server = await startServer(folder, host, port, options);
  return {
    host,
    port,
    user,
    password,
    folder,
    config,
    knownHosts,
    identity,
    passphrase,
    hostKeys,
    fingerprint: run('ssh-keygen', ['-l', '-f', hostKeys[0] as string]).split(' ')[1] as string,
    oneTimeCode: () => run('oathtool', ['--totp', '-b', secret]).trim(),
    log: () => readFileSync(join(folder, 'sshd.log'), 'utf8'),
    dropConnections: () => killChildren(server.pid as number),
    async stop() {
      const ended = new Promise(resolve => server.once('exit', resolve));
      if (server.exitCode === null && server.signalCode === null) {
        await killChildren(server.pid as number);
        server.kill('SIGTERM');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A TCP port on `host` that nobody listens on. */
export async function findFreePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function packagesOf(options: SshdOptions): string[] {
  const packages: string[] = [];
  if (options.shell === 'tcsh' || options.shell === 'fish') packages.push(options.shell);
  if (options.oneTimeCode) packages.push('libpam-google-authenticator', 'oathtool');
  return packages;
}

/** Accounts with other shells are other accounts, so that tests do not get into each other's way. */
function accountFor(shell: SshdOptions['shell']): User {
  if (!shell) return findUser();
  const user = findUser(`cwl-test-${shell.replace('noisy-', '')}`);
  const program = shell === 'noisy-bash' ? '/bin/bash' : `/usr/bin/${shell}`;
  run('usermod', ['--shell', program, user.name]);
  const noise = 'echo "*** Welcome to the cluster! Maintenance on Monday. ***"\n';
  const files = { tcsh: '.cshrc', fish: '.config/fish/config.fish', 'noisy-bash': '.bashrc' };
  const file = join(user.home, files[shell]);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, noise + noise);
  run('chown', ['-R', `${user.uid}:${user.gid}`, user.home]);
  return user;
}

/** Test files run side by side, so the account keeps one random password for as long as the machine runs. */
function givePassword(user: User): string {
  mkdirSync('/run/cwl-test', { recursive: true, mode: 0o700 });
  const file = `/run/cwl-test/${user.name}`;
  if (!existsSync(file)) {
    try {
      writeFileSync(file, randomBytes(15).toString('base64url'), { mode: 0o600, flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  const password = readFileSync(file, 'utf8');
  // printf is built into the shell, so the password is in no argument list.
  run('sh', ['-c', 'printf "%s:%s\\n" "$1" "$(cat "$2")" | chpasswd', 'sh', user.name, file]);
  return password;
}

function serverConfig(
  folder: string,
  host: string,
  port: number,
  user: User,
  hostKeys: string[],
  options: SshdOptions,
): string {
  const methods = options.authenticationMethods ?? 'publickey';
  const lines = [
    `ListenAddress ${host}`,
    `Port ${port}`,
    ...hostKeys.map(file => `HostKey ${file.replace(/\.pub$/, '')}`),
    'PidFile none',
    `AllowUsers ${user.name}`,
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    'StrictModes no',
    `AuthenticationMethods ${methods}`,
    `PasswordAuthentication ${methods.includes('password') ? 'yes' : 'no'}`,
    `KbdInteractiveAuthentication ${methods.includes('keyboard-interactive') ? 'yes' : 'no'}`,
    `UsePAM ${methods.includes('keyboard-interactive') ? 'yes' : 'no'}`,
    `AllowTcpForwarding ${options.refuseForwarding ? 'no' : 'local'}`,
    `MaxAuthTries ${options.maxAuthTries ?? 6}`,
    'MaxStartups 100',
    'LogLevel VERBOSE',
    'PrintMotd no',
  ];
  if (options.sftp !== false) lines.push('Subsystem sftp internal-sftp');
  if (options.offline) lines.push(`ForceCommand ${folder}/offline`);
  if (options.banner) lines.push(`Banner ${folder}/banner`);
  if (options.maxSessions !== undefined) lines.push(`MaxSessions ${options.maxSessions}`);
  return `${[...lines, ...(options.extra ?? [])].join('\n')}\n`;
}

/** Runs what the client asks for without a network. */
const offlineShell = `#!/bin/sh
case $SSH_ORIGINAL_COMMAND in
internal-sftp*) exec /usr/lib/openssh/sftp-server ;;
esac
exec unshare -rn /bin/sh -c "$SSH_ORIGINAL_COMMAND"
`;

function clientConfig(host: string, port: number, user: User, identity: string, knownHosts: string): string {
  return [
    'Host cluster',
    `  HostName ${host}`,
    `  Port ${port}`,
    `  User ${user.name}`,
    `  IdentityFile ${identity}`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${knownHosts}`,
    '  StrictHostKeyChecking yes',
    '',
  ].join('\n');
}

async function startServer(folder: string, host: string, port: number, options: SshdOptions): Promise<ChildProcess> {
  // sshd refuses to start without its privilege separation directory.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  // The base name of argv[0] is the PAM service, so that the machine's own service file is left alone.
  const service = `cwl-test-sshd-${port}`;
  const rules = ['auth required pam_unix.so', 'account required pam_unix.so', 'session required pam_unix.so'];
  if (options.oneTimeCode) {
    rules.splice(1, 0, `auth required pam_google_authenticator.so secret=${folder}/totp user=root allowed_perm=0400`);
  }
  writeFileSync(`/etc/pam.d/${service}`, `${rules.join('\n')}\n`);
  const program = join(folder, service);
  symlinkSync('/usr/sbin/sshd', program);
  const command = [program, '-D', '-f', join(folder, 'sshd_config'), '-E', join(folder, 'sshd.log')];
  if (options.hosts) {
    const entries = Object.entries({ localhost: '127.0.0.1', ...options.hosts });
    writeFileSync(join(folder, 'hosts'), entries.map(([name, address]) => `${address} ${name}\n`).join(''));
    const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
    command.unshift('unshare', '-m', 'sh', '-c', script, join(folder, 'hosts'));
  }
  const server = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A test that dies by an error takes its server with it.
  const end = () => {
    server.kill();
    rmSync(`/etc/pam.d/${service}`, { force: true });
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', end);
  server.once('exit', () => {
    process.off('exit', end);
    rmSync(`/etc/pam.d/${service}`, { force: true });
  });
  for (let tries = 0; tries < 200; tries++) {
    const log = existsSync(join(folder, 'sshd.log')) ? readFileSync(join(folder, 'sshd.log'), 'utf8') : '';
    if (log.includes(`Server listening on ${host} port ${port}`)) return server;
    if (server.exitCode !== null) throw new Error(`sshd did not start: ${stderr}${log}`);
    await sleep(25);
  }
  server.kill();
  throw new Error(`sshd did not listen within 5 s: ${stderr}`);
}

/** The processes that serve connections are children of the listener, and its grandchildren where privileges are split. */
async function killChildren(parent: number): Promise<void> {
  for (const child of childrenOf(parent)) {
    const grandchildren = childrenOf(child);
    for (const pid of [child, ...grandchildren]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }
  await sleep(20);
}

function childrenOf(parent: number): number[] {
  try {
    const list = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8');
    return list.trim().split(' ').filter(Boolean).map(Number);
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

function keyOf(file: string): string {
  return readFileSync(file, 'utf8').trim().split(' ').slice(0, 2).join(' ');
}
