/** Puts values for `$name`, `${name}`, `${name:regex}` and `[[name]]` into a query or a text. */

/** What a variable stands for that may have several values, or all there are. */
export interface Several {
  several: readonly string[];
  /** What the dashboard says for all of them; it is put in as it is. */
  all?: string;
  /** What stands in the page's address: one word for all of them, else they themselves. */
  chosen?: readonly string[];
}

export type Values = ReadonlyMap<string, readonly string[] | Several>;

const PLACEHOLDER = /\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)\]\]/g;

/** *text* with every known placeholder filled; an unknown one stays, so that the query's error names it. */
export function interpolate(text: string, values: Values): string {
  return replaced(text, values, formatted);
}

/** *text*, which a person reads, with every known placeholder filled as it is. */
export function interpolateText(text: string, values: Values): string {
  return replaced(text, values, (found) => plainValues(found).join(', '));
}

export const plainValues = (found: readonly string[] | Several): readonly string[] =>
  'several' in found ? found.several : found;

function replaced(
  text: string,
  values: Values,
  format: (found: readonly string[] | Several, format: string | undefined) => string,
): string {
  return text.replace(PLACEHOLDER, (placeholder, plain, braced, wanted, bracketed) => {
    const found = values.get(plain ?? braced ?? bracketed);
    return found === undefined ? placeholder : format(found, wanted);
  });
}

/** The macros of one query, beside the variables. */
export function withMacros(values: Values, stepSeconds: number, rateSeconds: number, rangeSeconds: number): Values {
  return new Map<string, readonly string[] | Several>([
    ...withRange(values, rangeSeconds),
    ['__interval', [`${stepSeconds}s`]],
    ['__interval_ms', [String(stepSeconds * 1000)]],
    ['__rate_interval', [`${rateSeconds}s`]],
  ]);
}

/** What is also known where there are no steps: in the queries of variables. */
export function withRange(values: Values, rangeSeconds: number): Values {
  const range = Math.round(rangeSeconds);
  return new Map<string, readonly string[] | Several>([
    ...values,
    ['__range', [`${range}s`]],
    ['__range_s', [String(range)]],
    ['__range_ms', [String(range * 1000)]],
  ]);
}

function formatted(found: readonly string[] | Several, format: string | undefined): string {
  if ('several' in found) {
    if (found.all !== undefined) return found.all;
    return inFormat(found.several, format ?? 'regex');
  }
  return inFormat(found, format);
}

function inFormat(values: readonly string[], format: string | undefined): string {
  const [only] = values;
  if (format === 'raw' || format === 'csv' || format === 'text') return values.join(',');
  if (format === 'pipe') return values.join('|');
  if (values.length === 1 && only !== undefined && format !== 'regex') return quoted(only);
  const alternatives = values.map(escapedRegex).join('|');
  return values.length === 1 ? alternatives : `(${alternatives})`;
}

/** A value stands between double quotes in PromQL. */
function quoted(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"');
}

function escapedRegex(value: string): string {
  return quoted(value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
}
