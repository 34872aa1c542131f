/** True where the release of a kernel, as uname(2) tells it, is below a version: `3.10.0-1160` is older than `4.4`. */
export function isOlder(kernel: string, version: string): boolean {
  const [a, b] = [kernel, version].map(text =>
    text
      .split(/[.-]/)
      .slice(0, 3)
      .map(part => Number.parseInt(part, 10) || 0),
  );
  for (const [index, part] of (b ?? []).entries()) {
    const own = a?.[index] ?? 0;
    if (own !== part) return own < part;
  }
  return false;
}
