/** What a rootfs lacks of its image, because no unprivileged user can have it, or because nobody should. */
export class UnpackReport {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  clear(): void {
    this.#counts.clear();
  }

  /** One line each, `3 devices were left out`. */
  get lines(): string[] {
    return [...this.#counts].map(([what, count]) => `${count} ${what}`);
  }
}

export const notices = {
  device: 'device files were left out: only root can make them',
  fifo: 'named pipes were left out: there is no mkfifo on this machine',
  socket: 'members of a kind that no file system keeps were left out',
  odd: 'names began with / or held .. and were kept inside the rootfs',
  setId: 'set-user-id or set-group-id bits were dropped',
};
