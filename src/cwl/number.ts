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
