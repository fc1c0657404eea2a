/** Puts values for `$name`, `${name}`, `${name:regex}` and `[[name]]` into a query or a text. */

export type Values = ReadonlyMap<string, readonly string[]>;

const PLACEHOLDER = /\$(\w+)|\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)\]\]/g;

/** *text* with every known placeholder filled; an unknown one stays, so that the query's error names it. */
export function interpolate(text: string, values: Values): string {
  return text.replace(PLACEHOLDER, (placeholder, plain, braced, format, bracketed) => {
    const found = values.get(plain ?? braced ?? bracketed);
    return found === undefined ? placeholder : formatted(found, format);
  });
}

/** The macros of one query, beside the variables. */
export function withMacros(values: Values, stepSeconds: number, rateSeconds: number, rangeSeconds: number): Values {
  const range = Math.round(rangeSeconds);
  return new Map<string, readonly string[]>([
    ...values,
    ['__interval', [`${stepSeconds}s`]],
    ['__interval_ms', [String(stepSeconds * 1000)]],
    ['__rate_interval', [`${rateSeconds}s`]],
    ['__range', [`${range}s`]],
    ['__range_s', [String(range)]],
  ]);
}

function formatted(values: readonly string[], format: string | undefined): string {
  const [only] = values;
  if (values.length === 1 && only !== undefined && format !== 'regex') return format === 'raw' ? only : quoted(only);
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
