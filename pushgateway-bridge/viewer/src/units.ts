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

const TICK_DIGITS = [4, 8, 12, 16, 20];

type Format = (value: number, decimals: number | undefined) => string;

const FORMATS: Record<string, Format> = {
  none: (value, decimals) => fixed(value, decimals),
  string: (value, decimals) => fixed(value, decimals),
  short: scaled(1000, SHORT),
  locale: (value) => value.toLocaleString('en-US'),
  sci: (value, decimals) => value.toExponential(decimals),
  percent: suffixed('%'),
  percentunit: (value, decimals) => `${fixed(value * 100, decimals)}%`,
  humidity: suffixed('%H'),
  dB: suffixed(' dB'),
  dBm: suffixed(' dBm'),
  bytes: scaled(1024, BINARY.map((prefix) => ` ${prefix}B`)),
  decbytes: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}B`)),
  kbytes: scaled(1024, BINARY.slice(1).map((prefix) => ` ${prefix}B`)),
  deckbytes: scaled(1000, DECIMAL.slice(1).map((prefix) => ` ${prefix}B`)),
  mbytes: scaled(1024, BINARY.slice(2).map((prefix) => ` ${prefix}B`)),
  decmbytes: scaled(1000, DECIMAL.slice(2).map((prefix) => ` ${prefix}B`)),
  gbytes: scaled(1024, BINARY.slice(3).map((prefix) => ` ${prefix}B`)),
  decgbytes: scaled(1000, DECIMAL.slice(3).map((prefix) => ` ${prefix}B`)),
  bits: scaled(1024, BINARY.map((prefix) => ` ${prefix}b`)),
  decbits: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}b`)),
  Bps: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}B/s`)),
  binBps: scaled(1024, BINARY.map((prefix) => ` ${prefix}B/s`)),
  bps: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}b/s`)),
  binbps: scaled(1024, BINARY.map((prefix) => ` ${prefix}b/s`)),
  KBs: scaled(1000, DECIMAL.slice(1).map((prefix) => ` ${prefix}B/s`)),
  MBs: scaled(1000, DECIMAL.slice(2).map((prefix) => ` ${prefix}B/s`)),
  Kbits: scaled(1000, DECIMAL.slice(1).map((prefix) => ` ${prefix}b/s`)),
  Mbits: scaled(1000, DECIMAL.slice(2).map((prefix) => ` ${prefix}b/s`)),
  pps: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}p/s`)),
  iops: rate('io/s'),
  ops: rate('ops/s'),
  reqps: rate('req/s'),
  cps: rate('c/s'),
  rps: rate('rd/s'),
  wps: rate('wr/s'),
  eps: rate('evt/s'),
  mps: rate('msg/s'),
  recps: rate('rec/s'),
  rowsps: rate('rows/s'),
  cpm: rate('c/m'),
  opm: rate('ops/m'),
  reqpm: rate('req/m'),
  rpm: rate('rd/m'),
  wpm: rate('wr/m'),
  mpm: rate('msg/m'),
  epm: rate('evt/m'),
  hertz: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}Hz`)),
  rothz: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}Hz`)),
  rotrpm: suffixed(' rpm'),
  celsius: suffixed(' °C'),
  fahrenheit: suffixed(' °F'),
  kelvin: suffixed(' K'),
  watt: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}W`)),
  watth: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}Wh`)),
  joule: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}J`)),
  volt: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}V`)),
  amp: scaled(1000, DECIMAL.map((prefix) => ` ${prefix}A`)),
  ns: (value, decimals) => seconds(value / 1e9, decimals),
  µs: (value, decimals) => seconds(value / 1e6, decimals),
  ms: (value, decimals) => seconds(value / 1000, decimals),
  s: seconds,
  m: (value, decimals) => seconds(value * 60, decimals),
  h: (value, decimals) => seconds(value * 3600, decimals),
  d: (value, decimals) => seconds(value * 86_400, decimals),
  dtdurations: (value) => longDuration(value),
  dtdurationms: (value) => longDuration(value / 1000),
  dthms: (value) => clock(value),
  clocks: (value) => clock(value),
  bool: (value) => (value ? 'True' : 'False'),
  bool_yes_no: (value) => (value ? 'Yes' : 'No'),
  bool_on_off: (value) => (value ? 'On' : 'Off'),
  dateTimeAsIso: moment,
  dateTimeAsIsoNoDateIfToday: (value) =>
    moment(value).slice(0, 10) === moment(Date.now()).slice(0, 10) ? moment(value).slice(11) : moment(value),
  dateTimeAsSystem: moment,
  dateTimeAsLocal: moment,
  dateTimeFromNow: (value) => fromNow((Date.now() - value) / 1000),
};

/** *value* with its *unit*. An unknown unit is a suffix, as in Grafana. */
export function formatValue(value: number, unit: string | undefined, decimals?: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '-∞';
  const format = Object.hasOwn(FORMATS, unit || 'none') ? FORMATS[unit || 'none'] : undefined;
  return format ? format(value, decimals) : withOwnUnit(value, unit ?? '', decimals);
}

/** `suffix:x` and `prefix:x` say on which side it stands. */
function withOwnUnit(value: number, unit: string, decimals: number | undefined): string {
  const text = fixed(value, decimals);
  if (unit.startsWith('prefix:')) return unit.slice(7) + text;
  return unit.startsWith('suffix:') ? text + unit.slice(7) : `${text} ${unit}`;
}

/** Ticks of an axis: those with the same suffix have as many digits as the least round of them needs. */
export function formatTicks(values: readonly number[], unit: string | undefined): string[] {
  const told = (most: number): boolean => new Set(values.map((value) => formatValue(value, unit, most))).size === new Set(values).size;
  const most = TICK_DIGITS.find(told) ?? TICK_DIGITS[0]!;
  const exact = values.map((value) => formatValue(value, unit, most));
  const digits = new Map<string, number>();
  values.forEach((value, index) => {
    const suffix = suffixOf(exact[index]!);
    digits.set(suffix, Math.max(digits.get(suffix) ?? 0, digitsNeeded(value, unit, exact[index]!, most)));
  });
  return values.map((value, index) => formatValue(value, unit, digits.get(suffixOf(exact[index]!))));
}

const suffixOf = (text: string): string => text.replace(/^[-\d.]+/, '');

function digitsNeeded(value: number, unit: string | undefined, exact: string, most: number): number {
  for (let digits = 0; digits < most; digits++) {
    if (Number.parseFloat(formatValue(value, unit, digits)) === Number.parseFloat(exact)) return digits;
  }
  return most;
}

const POWERS_OF_TWO = Array.from({ length: 62 }, (_, index) => 2 ** (index - 4));
const BINARY_UNITS = new Set(['bytes', 'binBps', 'bits', 'kbytes', 'mbytes', 'gbytes', 'binbps']);

/** Seconds at which clocks are read, below and above the decimal ones. */
const DURATION_STEPS = [
  ...[-9, -8, -7, -6, -5, -4, -3, -2, -1].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)),
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200],
  ...[1, 2, 7, 14, 28, 91, 182, 365, 730, 1825, 3650].map((days) => days * 86_400),
];

/** How far axis ticks of this unit may be apart; undefined where decimal steps do. */
export function tickIncrements(unit: string | undefined): number[] | undefined {
  if (unit === 's') return DURATION_STEPS;
  if (unit === 'ms') return DURATION_STEPS.map((seconds) => seconds * 1000);
  return BINARY_UNITS.has(unit ?? '') ? POWERS_OF_TWO : undefined;
}

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

function suffixed(suffix: string): Format {
  return (value, decimals) => fixed(value, decimals) + suffix;
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

/** Hours, minutes and seconds. */
function clock(value: number): string {
  const whole = Math.floor(Math.abs(value));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (value < 0 ? '-' : '') + parts.map((part) => String(part).padStart(2, '0')).join(':');
}

/** Milliseconds as local date and time. */
function moment(value: number): string {
  return new Date(value).toLocaleString('sv-SE');
}

function fromNow(age: number): string {
  const [length, name] = [...DURATIONS, [1, 'second'] as const].find(([size]) => Math.abs(age) >= size) ?? [1, 'second'];
  const count = Math.round(Math.abs(age) / length);
  const text = `${count} ${name === 'min' ? 'minute' : name}${count === 1 ? '' : 's'}`;
  return age < 0 ? `in ${text}` : `${text} ago`;
}
