/** How numbers and times are told to people. */
import type { Progress } from '#base/log.ts';

/** `12.3 MB`; units are powers of 1000. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = -1;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** From `started` to `ended`, or to `now` while it goes on (ISO 8601; milliseconds since 1970). */
export function formatElapsed(started: string | undefined, ended: string | undefined, now: number): string | undefined {
  if (started === undefined) return undefined;
  const from = Date.parse(started);
  return Number.isNaN(from) ? undefined : formatDuration((ended === undefined ? now : Date.parse(ended)) - from);
}

/** `pulling busybox 45 %`; undefined where nothing is going on. */
export function formatProgress(progress: Progress | undefined): string | undefined {
  if (!progress) return undefined;
  const { what, done, total, unit } = progress;
  const percent = toPercent(progress);
  if (percent !== undefined) return `${what} ${Math.floor(percent)} %`;
  if (done === 0 || total === 0) return what;
  return unit === 'bytes' ? `${what} ${formatSize(done)}` : `${what} ${done}`;
}

/** 0 to 100; undefined while the total is unknown. */
export function toPercent({ done, total }: Progress): number | undefined {
  return total ? Math.min(100, (100 * done) / total) : undefined;
}
