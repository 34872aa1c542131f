/** What only a person can answer on the way into a host. */
export interface Prompts {
  /** The host's key is in no known_hosts file; true: trust it from now on. */
  confirmHostKey(question: HostKeyQuestion): Promise<boolean>;
  /** Answers in the order of `fields`; undefined: the person wants no connection any more. */
  ask(question: Question): Promise<string[] | undefined>;
}

export interface HostKeyQuestion {
  /** Name as it will stand in known_hosts: `login.example.org`, `[login.example.org]:2222`. */
  host: string;
  /** `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256`. */
  keyType: string;
  /** `SHA256:` and base64, as ssh-keygen(1) prints it. */
  fingerprint: string;
  /** Where the key will be written; undefined: it is trusted for this connection alone. */
  file: string | undefined;
  /** What else is known of this host, for a person: keys of other types, a certificate authority. */
  notes: string[];
}

export interface Question {
  kind: 'password' | 'passphrase' | 'keyboard-interactive';
  /** Who asks: `alice@login.example.org`; for a passphrase the key's file. */
  title: string;
  /** What the server says about its questions; empty where it says nothing. */
  instruction: string;
  /** The server's words, as they came. `echo` false: hide what is typed. */
  fields: { text: string; echo: boolean }[];
  /** 1 for the first time, 2 after one wrong answer. */
  attempt: number;
}

/** Nobody is there to answer: unknown host keys are refused, secrets are not asked for. As `BatchMode` of ssh_config(5). */
export const noPrompts: Prompts = {
  confirmHostKey: async () => false,
  ask: async () => undefined,
};
