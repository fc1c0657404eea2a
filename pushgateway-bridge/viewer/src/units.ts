/** Numbers with units, written as Grafana writes them. */

const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
const SHORT = ['', ' K', ' Mil', ' Bil', ' Tri', ' Quadr', ' Quint'];

const DURATIONS: readonly (readonly [number, string])[] = [
  [31_536_000, 'year'],
  [604_800, 'week'],
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'min'],
];

const MOST_TICK_DIGITS = 4;

type Format = (value: number, decimals: number | undefined) => string;

const FORMATS: Record<string, Format> = {
  none: (value, decimals) => fixed(value, decimals),
  short: scaled(1000, SHORT),
  percent: (value, decimals) => `${fixed(value, decimals)}%`,
  percentunit: (value, decimals) => `${fixed(value * 100, decimals)}%`,
  bytes: scaled(1024, BINARY.map((prefix) => ` ${prefix}B`)),
  decbytes: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}B`)),
  bits: scaled(1024, BINARY.map((prefix) => ` ${prefix}b`)),
  decbits: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}b`)),
  Bps: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}B/s`)),
  binBps: scaled(1024, BINARY.map((prefix) => ` ${prefix}B/s`)),
  bps: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}b/s`)),
  pps: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}p/s`)),
  iops: rate('io/s'),
  ops: rate('ops/s'),
  reqps: rate('req/s'),
  cps: rate('c/s'),
  hertz: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}Hz`)),
  rothz: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}Hz`)),
  celsius: (value, decimals) => `${fixed(value, decimals)} °C`,
  watt: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}W`)),
  volt: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}V`)),
  s: seconds,
  ms: (value, decimals) => seconds(value / 1000, decimals),
  dtdurations: (value) => longDuration(value),
  bool_yes_no: (value) => (value ? 'Yes' : 'No'),
  bool_on_off: (value) => (value ? 'On' : 'Off'),
  dateTimeAsIso: (value) => new Date(value).toISOString().slice(0, 19).replace('T', ' '),
};

/** *value* with its *unit*. An unknown unit is a suffix, as in Grafana. */
export function formatValue(value: number, unit: string | undefined, decimals?: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '-∞';
  const format = FORMATS[unit || 'none'];
  return format ? format(value, decimals) : `${fixed(value, decimals)} ${unit}`;
}

/** Ticks of an axis: those with the same suffix have as many digits as the least round of them needs. */
export function formatTicks(values: readonly number[], unit: string | undefined): string[] {
  const exact = values.map((value) => formatValue(value, unit, MOST_TICK_DIGITS));
  const digits = new Map<string, number>();
  values.forEach((value, index) => {
    const suffix = suffixOf(exact[index]!);
    digits.set(suffix, Math.max(digits.get(suffix) ?? 0, digitsNeeded(value, unit, exact[index]!)));
  });
  return values.map((value, index) => formatValue(value, unit, digits.get(suffixOf(exact[index]!))));
}

const suffixOf = (text: string): string => text.replace(/^[-\d.]+/, '');

function digitsNeeded(value: number, unit: string | undefined, exact: string): number {
  for (let digits = 0; digits < MOST_TICK_DIGITS; digits++) {
    if (Number.parseFloat(formatValue(value, unit, digits)) === Number.parseFloat(exact)) return digits;
  }
  return MOST_TICK_DIGITS;
}

/** Whether axis ticks of this unit should lie on powers of two. */
export const countsInPowersOfTwo = (unit: string | undefined): boolean =>
  unit === 'bytes' || unit === 'binBps' || unit === 'bits';

/** Without *decimals*: three significant digits, none after the point for whole numbers. */
function fixed(value: number, decimals: number | undefined): string {
  const digits = decimals ?? automaticDecimals(value);
  const text = value.toFixed(Math.min(Math.max(digits, 0), 20));
  return Number(text) === 0 && text.startsWith('-') ? text.slice(1) : text;
}

function automaticDecimals(value: number): number {
  if (Number.isInteger(value)) return 0;
  return Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
}

function scaled(factor: number, suffixes: readonly string[]): Format {
  return (value, decimals) => {
    const power = value === 0 ? 0 : Math.floor(Math.log(Math.abs(value)) / Math.log(factor) + 1e-12);
    const index = Math.min(Math.max(power, 0), suffixes.length - 1);
    return `${fixed(value / factor ** index, decimals)}${suffixes[index]}`;
  };
}

function rate(suffix: string): Format {
  const number = scaled(1000, ['', 'K', 'M', 'B', 'T']);
  return (value, decimals) => `${number(value, decimals)} ${suffix}`;
}

function seconds(value: number, decimals: number | undefined): string {
  const size = Math.abs(value);
  if (size === 0) return `${fixed(0, decimals)} s`;
  if (size < 1e-6) return `${fixed(value * 1e9, decimals)} ns`;
  if (size < 1e-3) return `${fixed(value * 1e6, decimals)} µs`;
  if (size < 1) return `${fixed(value * 1e3, decimals)} ms`;
  for (const [length, name] of DURATIONS) {
    if (size < length) continue;
    const text = fixed(value / length, decimals);
    return `${text} ${Math.abs(Number(text)) === 1 ? name : `${name}s`}`;
  }
  return `${fixed(value, decimals)} s`;
}

function longDuration(value: number): string {
  const parts: string[] = [];
  let rest = Math.abs(Math.floor(value));
  for (const [length, name] of [...DURATIONS, [1, 'second'] as const]) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count} ${name === 'min' ? 'minute' : name}${count === 1 ? '' : 's'}`);
  }
  return parts.slice(0, 2).join(', ') || '0 seconds';
}
