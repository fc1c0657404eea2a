/** Time ranges as Grafana writes them (`now-1h`, or Unix milliseconds), and the steps at which they are asked for. */

/** Unix seconds. */
export interface TimeWindow {
  from: number;
  to: number;
}

export interface TimeRange {
  from: string;
  to: string;
}

export const PRESETS: readonly (readonly [string, string])[] = [
  ['5m', 'Last 5 minutes'],
  ['15m', 'Last 15 minutes'],
  ['30m', 'Last 30 minutes'],
  ['1h', 'Last hour'],
  ['3h', 'Last 3 hours'],
  ['6h', 'Last 6 hours'],
  ['12h', 'Last 12 hours'],
  ['24h', 'Last 24 hours'],
  ['2d', 'Last 2 days'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
  ['90d', 'Last 90 days'],
];

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, M: 2_592_000, y: 31_536_000 };

/** Seconds of `90s`, `5m`, `1h`, `250ms`. Throws on anything else. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|[smhdwMy])$/.exec(text);
  if (!match) throw new Error(`not a duration: ${text}`);
  return match[2] === 'ms' ? Number(match[1]) / 1000 : Number(match[1]) * SECONDS[match[2]!]!;
}

/** Unix seconds of one end of a range. Throws on what it cannot read. `now-1d/d` is cut to whole days. */
export function parseTime(text: string, nowSeconds: number, roundUp = false): number {
  const relative = /^now(?:-([^/]+))?(?:\/([dwMy]))?$/.exec(text);
  if (relative) {
    const time = nowSeconds - (relative[1] ? parseDuration(relative[1]) : 0);
    return relative[2] ? rounded(time, relative[2], roundUp) : time;
  }
  if (/^\d{10,14}$/.test(text)) return Number(text) / 1000;
  const parsed = Date.parse(text);
  if (Number.isNaN(parsed)) throw new Error(`not a time: ${text}`);
  return parsed / 1000;
}

/** The beginning (or end) of the local day, week, month or year in which *time* lies. */
function rounded(time: number, unit: string, up: boolean): number {
  const date = new Date(time * 1000);
  date.setHours(0, 0, 0, 0);
  if (unit === 'w') date.setDate(date.getDate() - ((date.getDay() + 6) % 7));
  if (unit === 'M' || unit === 'y') date.setDate(1);
  if (unit === 'y') date.setMonth(0);
  if (up && unit === 'd') date.setDate(date.getDate() + 1);
  if (up && unit === 'w') date.setDate(date.getDate() + 7);
  if (up && unit === 'M') date.setMonth(date.getMonth() + 1);
  if (up && unit === 'y') date.setFullYear(date.getFullYear() + 1);
  return date.getTime() / 1000;
}

export function windowOf(range: TimeRange, nowSeconds: number): TimeWindow {
  const window = { from: parseTime(range.from, nowSeconds), to: parseTime(range.to, nowSeconds, true) };
  if (window.from >= window.to) throw new Error(`the time range ends before it starts: ${range.from} to ${range.to}`);
  return window;
}

/** The preset that *range* is, or null if its ends are fixed. */
export function presetOf(range: TimeRange): string | null {
  return range.to === 'now' && range.from.startsWith('now-') ? range.from.slice(4) : null;
}

/** *window* moved by a part of its length, and made longer or shorter around its middle, as Unix milliseconds. */
export function moved({ from, to }: TimeWindow, by: number, stretch = 1): TimeRange {
  const length = to - from;
  const middle = (from + to) / 2 + by * length;
  const ends = [middle - (length * stretch) / 2, middle + (length * stretch) / 2];
  const [start, end] = ends.map((end) => String(Math.round(end * 1000)));
  return { from: start!, to: end! };
}

/** Steps that a person can read off the axis. */
const STEPS = [
  1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
];

/** The smallest readable step that needs at most *points* values, but at least *minimum*. */
export function stepFor(window: TimeWindow, points: number, minimum: number): number {
  const wanted = Math.max((window.to - window.from) / Math.max(points, 1), minimum);
  return STEPS.find((step) => step >= wanted) ?? Math.ceil(wanted / 86400) * 86400;
}

/** Into how many parts a step is divided for the ends of a window. */
const PHASES = 6;

/**
 * A window of whole steps that ends at most a sixth of a step before *window* does.
 *
 * Ends on whole steps would leave out up to the newest minute, and so everything in a stack's first one; ends
 * anywhere would reshape the lines at each refresh.
 */
export function aligned(window: TimeWindow, step: number): TimeWindow {
  const phase = step / PHASES;
  const to = Math.floor(window.to / phase) * phase;
  return { from: to - Math.ceil((window.to - window.from) / step) * step, to };
}

/** What `$__rate_interval` stands for: long enough for four samples that come *minimum* apart. */
export function rateInterval(step: number, minimum: number): number {
  return Math.max(step + minimum, 4 * minimum);
}
