/**
 * The decimal representation of a number, never with an exponent: `0.00001`, `123000`, `1000000000000000000000`
 * (CWL v1.2, CommandLineBinding: "decimal representation").
 */
export function formatNumber(value: number): string {
  const text = String(value);
  const at = text.indexOf('e');
  if (at < 0) return text;
  const exponent = Number(text.slice(at + 1));
  const [whole = '', fraction = ''] = text.slice(0, at).replace('-', '').split('.');
  const sign = value < 0 ? '-' : '';
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + '0'.repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** True for what a 32-bit signed integer can hold (CWL v1.2, CWLType `int`). */
export function isInt(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
}

/** True for what a 64-bit signed integer can hold (CWL v1.2, CWLType `long`), as far as a number of JavaScript tells. */
export function isLong(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2 ** 63;
}
