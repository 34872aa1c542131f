import { Failure } from '#base/failure.ts';
import { type Log, silentLog } from '#base/log.ts';
import { type ConfigSource, computeOptions, type Options, type Surroundings } from './config.ts';
import { type HostSettings, parseDestination } from './host-settings.ts';
import { findSurroundings } from './surroundings.ts';
import { expandTokens, expandVariables, type Tokens } from './tokens.ts';

/** All that is needed to connect to one host: settings, config files and defaults put together. */
export interface Host {
  /** As the user called it. */
  alias: string;
  hostName: string;
  port: number;
  user: string;
  /** Absolute paths, in the order in which they are tried. */
  identityFiles: string[];
  /** False: these are the default names, whose absence nobody minds. */
  identityFilesAreGiven: boolean;
  identitiesOnly: boolean;
  /** Socket or pipe of the agent; undefined: no agent. */
  agent: string | undefined;
  /** First the user's, then the system's. */
  knownHostsFiles: string[];
  /** Where new keys go; undefined with `UserKnownHostsFile none`. */
  newKnownHostsFile: string | undefined;
  hashKnownHosts: boolean;
  hostKeyAlias: string | undefined;
  hostKeyAlgorithms: string | undefined;
  strictHostKeyChecking: 'yes' | 'no' | 'accept-new' | 'ask';
  /** Hosts to go through, the first one nearest to us. */
  jumps: HostSettings[];
  proxyCommand: string | undefined;
  /** Seconds. */
  connectTimeout: number;
  /** Seconds between signs of life; 0: none. */
  serverAliveInterval: number;
  serverAliveCountMax: number;
  addressFamily: 4 | 6 | undefined;
  preferredAuthentications: string[];
  numberOfPasswordPrompts: number;
  pubkeyAuthentication: boolean;
  passwordAuthentication: boolean;
  kbdInteractiveAuthentication: boolean;
  /** Nobody is asked anything. */
  batchMode: boolean;
}

/** Defaults of OpenSSH 9, in its order; security keys are left out because they need hardware that ssh2 can't reach. */
const defaultIdentities = ['id_rsa', 'id_ecdsa', 'id_ed25519', 'id_dsa'];

/** Puts together what is configured for a host, as ssh(1) does: settings, then the user's file, then the system's. */
export function resolveHost(
  settings: HostSettings,
  around: Surroundings = findSurroundings(),
  log: Log = silentLog,
): Host {
  const destination = parseDestination(settings.host);
  const given: Options = new Map();
  if (destination.user !== undefined) given.set('user', [destination.user]);
  if (destination.port !== undefined) given.set('port', [String(destination.port)]);
  for (const [name, value] of Object.entries(settings.options ?? {})) {
    const key = name.toLowerCase();
    if (!given.has(key)) given.set(key, isList(key) ? value.split(/\s+/) : [value]);
  }
  const options = computeOptions(destination.host, given, sourcesOf(settings, around), around, log);
  return new Resolution(destination.host, options, settings, around).host();
}

function sourcesOf(settings: HostSettings, around: Surroundings): ConfigSource[] {
  const user = `${around.home}/.ssh`;
  if (settings.configFile === 'none') return [];
  if (settings.configFile !== undefined) {
    const file = expandVariables(settings.configFile, around);
    if (around.readFile(file) !== undefined) return [{ file, includeFolder: user }];
    throw new Failure('ssh/config', `the ssh configuration ${file} can't be read`);
  }
  const programData = around.environment.PROGRAMDATA;
  const system = programData === undefined ? '/etc/ssh' : `${programData}/ssh`;
  return [
    { file: `${user}/config`, includeFolder: user },
    { file: `${system}/ssh_config`, includeFolder: system },
  ];
}

function isList(name: string): boolean {
  return name === 'userknownhostsfile' || name === 'globalknownhostsfile';
}

class Resolution {
  readonly #alias: string;
  readonly #options: Options;
  readonly #settings: HostSettings;
  readonly #around: Surroundings;
  readonly #tokens: Tokens;

  constructor(alias: string, options: Options, settings: HostSettings, around: Surroundings) {
    this.#alias = alias;
    this.#options = options;
    this.#settings = settings;
    this.#around = around;
    const hostName = expandTokens(this.#text('hostname') ?? '%h', { h: alias });
    const port = String(this.#number('port', 22));
    const remoteUser = this.#text('user') ?? around.localUser;
    const keyAlias = this.#text('hostkeyalias') ?? hostName;
    this.#tokens = {
      ...{ h: hostName, n: alias, p: port, r: remoteUser, k: keyAlias },
      ...{ u: around.localUser, d: around.home },
    };
  }

  host(): Host {
    const tokens = this.#tokens as { h: string; r: string };
    const identities = this.#options.get('identityfile');
    const isYes = (name: string, fallback: boolean) => this.#flag(name, fallback);
    const userFiles = this.#files('userknownhostsfile', ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']);
    const systemFiles = this.#files('globalknownhostsfile', this.#systemKnownHosts());
    return {
      alias: this.#alias,
      hostName: tokens.h,
      port: this.#number('port', 22),
      user: tokens.r,
      identityFiles: (identities ?? defaultIdentities.map(name => `~/.ssh/${name}`))
        .filter(file => file.toLowerCase() !== 'none')
        .map(file => this.#path(file)),
      identityFilesAreGiven: identities !== undefined,
      identitiesOnly: isYes('identitiesonly', false),
      agent: this.#agent(),
      knownHostsFiles: [...userFiles, ...systemFiles],
      newKnownHostsFile: userFiles[0],
      hashKnownHosts: isYes('hashknownhosts', false),
      hostKeyAlias: this.#text('hostkeyalias'),
      hostKeyAlgorithms: this.#text('hostkeyalgorithms'),
      strictHostKeyChecking: this.#strictness(),
      jumps: this.#jumps(),
      proxyCommand: this.#proxyCommand(),
      connectTimeout: this.#number('connecttimeout', 20),
      serverAliveInterval: this.#number('serveraliveinterval', 30),
      serverAliveCountMax: this.#number('serveralivecountmax', 3),
      addressFamily: { inet: 4 as const, inet6: 6 as const }[this.#text('addressfamily')?.toLowerCase() ?? ''],
      preferredAuthentications: (
        this.#text('preferredauthentications') ?? 'publickey,keyboard-interactive,password'
      ).split(','),
      numberOfPasswordPrompts: this.#number('numberofpasswordprompts', 3),
      pubkeyAuthentication: isYes('pubkeyauthentication', true),
      passwordAuthentication: isYes('passwordauthentication', true),
      kbdInteractiveAuthentication: isYes(
        'kbdinteractiveauthentication',
        isYes('challengeresponseauthentication', true),
      ),
      batchMode: isYes('batchmode', false),
    };
  }

  #text(name: string): string | undefined {
    return this.#options.get(name)?.join(' ');
  }

  #number(name: string, fallback: number): number {
    const text = this.#text(name);
    if (text === undefined || text.toLowerCase() === 'none') return fallback;
    const value = /^\d+$/.test(text) ? Number(text) : parseTime(text);
    if (value === undefined || (name === 'port' && (value < 1 || value > 65535))) {
      throw new Failure('ssh/config', `${name} is “${text}” for ${this.#alias}`, {
        hint: 'A number was expected there.',
      });
    }
    return value;
  }

  #flag(name: string, fallback: boolean): boolean {
    const text = this.#text(name)?.toLowerCase();
    return text === undefined ? fallback : text !== 'no' && text !== 'false';
  }

  #path(text: string): string {
    return expandTokens(expandVariables(text, this.#around), this.#tokens);
  }

  #files(name: string, fallback: string[]): string[] {
    const words = this.#options.get(name) ?? fallback;
    return words.filter(word => word.toLowerCase() !== 'none').map(word => this.#path(word));
  }

  #systemKnownHosts(): string[] {
    const programData = this.#around.environment.PROGRAMDATA;
    return programData === undefined
      ? ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']
      : [`${programData}/ssh/ssh_known_hosts`];
  }

  #strictness(): Host['strictHostKeyChecking'] {
    const text = this.#text('stricthostkeychecking')?.toLowerCase() ?? 'ask';
    // ssh -G prints true and false.
    if (text === 'yes' || text === 'true') return 'yes';
    if (text === 'no' || text === 'off' || text === 'false') return 'no';
    return text === 'accept-new' ? text : 'ask';
  }

  #agent(): string | undefined {
    const text = this.#text('identityagent');
    if (text?.toLowerCase() === 'none') return undefined;
    const { environment } = this.#around;
    if (text === undefined || text === 'SSH_AUTH_SOCK') return environment.SSH_AUTH_SOCK || defaultAgent(environment);
    if (text.startsWith('$') && !text.startsWith('${')) return environment[text.slice(1)];
    return this.#path(text);
  }

  #jumps(): HostSettings[] {
    const text = this.#text('proxyjump');
    if (text === undefined || text.toLowerCase() === 'none') return [];
    // A hop is a host of its own: it gets our config file, and none of our options.
    const { configFile } = this.#settings;
    return text.split(',').map(hop => ({
      host: expandTokens(hop.trim(), this.#tokens),
      ...(configFile === undefined ? {} : { configFile }),
    }));
  }

  #proxyCommand(): string | undefined {
    const text = this.#text('proxycommand');
    return text === undefined || text.toLowerCase() === 'none' ? undefined : expandTokens(text, this.#tokens);
  }
}

/** OpenSSH for Windows listens on this pipe, and sets no variable. */
function defaultAgent(environment: Surroundings['environment']): string | undefined {
  return environment.PROGRAMDATA === undefined ? undefined : '\\\\.\\pipe\\openssh-ssh-agent';
}

/** `1m30s` in seconds (sshd_config(5), TIME FORMATS). */
function parseTime(text: string): number | undefined {
  if (!/^(\d+[smhdw]?)+$/i.test(text)) return undefined;
  const seconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
  return [...text.toLowerCase().matchAll(/(\d+)([smhdw]?)/g)]
    .map(([, count, unit]) => Number(count) * (seconds[unit || 's'] ?? 1))
    .reduce((sum, value) => sum + value, 0);
}
