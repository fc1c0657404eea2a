/** How a field is shown: the panel's defaults, with the overrides that match it laid over them. */

import type { FieldConfig, FieldConfigSource, Override, ValueMapping } from './model';
import { thresholdColour } from './colours';
import { formatValue } from './units';

export interface FieldIdentity {
  name: string;
  refId?: string;
  labels?: Record<string, string>;
}

export function fieldConfig(source: FieldConfigSource | undefined, field: FieldIdentity): FieldConfig {
  const config = structuredClone(source?.defaults ?? {});
  for (const override of source?.overrides ?? []) {
    if (!matches(override, field)) continue;
    for (const { id, value } of override.properties) setPath(config, id.split('.'), value);
  }
  return config;
}

export interface Shown {
  text: string;
  /** Name of a colour, if a mapping or threshold gives one. */
  colour: string | null;
}

/** One value as text and colour: value mappings first, then thresholds. */
export function show(value: number | string | null, config: FieldConfig): Shown {
  const mapped = mappedValue(value, config.mappings ?? []);
  const number = typeof value === 'number' ? value : null;
  const byThreshold =
    number !== null && (config.color?.mode ?? 'thresholds') === 'thresholds' ? colourOf(number, config) : null;
  const fixed = config.color?.mode === 'fixed' ? (config.color.fixedColor ?? null) : null;
  const text = number === null ? (value === null ? '–' : String(value)) : formatValue(number, config.unit, config.decimals);
  return { text: mapped?.text || text, colour: mapped?.color ?? byThreshold ?? fixed };
}

/** Name of the colour of the threshold that *value* has reached; null if the field has no thresholds. */
export function colourOf(value: number, { thresholds, min = 0, max = 100 }: FieldConfig): string | null {
  if (!thresholds?.steps?.length) return null;
  const share = thresholds.mode === 'percentage' ? ((value - min) / (max - min || 1)) * 100 : value;
  return thresholdColour(share, thresholds.steps);
}

/** What the field is called: its display name, with labels filled in, else the name that the query gives. */
export function displayName({ displayName: wanted }: FieldConfig, { name, labels = {} }: FieldIdentity): string {
  if (!wanted) return name;
  return wanted
    .replace(/\$\{__field\.labels\.([^}]+)\}/g, (_, label: string) => labels[label] ?? '')
    .replace(/\$\{__(?:field|series)\.name\}/g, name);
}

function matches({ matcher }: Override, field: FieldIdentity): boolean {
  if (matcher.id === 'byName') return matcher.options === field.name;
  if (matcher.id === 'byNames') {
    const { names = [], mode } = (matcher.options ?? {}) as { names?: string[]; mode?: string };
    return names.includes(field.name) !== (mode === 'exclude');
  }
  if (matcher.id === 'byFrameRefID') return matcher.options === field.refId;
  if (matcher.id === 'byRegexp') return regexOf(String(matcher.options)).test(field.name);
  return false;
}

/** Grafana writes a regular expression with or without slashes around it. */
function regexOf(text: string): RegExp {
  const match = /^\/(.*)\/([a-z]*)$/s.exec(text);
  return match ? new RegExp(match[1]!, match[2]!.replace('g', '')) : new RegExp(text);
}

function setPath(target: object, path: string[], value: unknown): void {
  const [head, ...rest] = path;
  const holder = target as Record<string, unknown>;
  if (head === undefined || head === '__proto__') return;
  if (rest.length === 0) holder[head] = value;
  else setPath((holder[head] ??= {}) as object, rest, value);
}

interface MappingResult {
  text?: string;
  color?: string;
}

function mappedValue(value: number | string | null, mappings: readonly ValueMapping[]): MappingResult | undefined {
  for (const { type, options } of mappings) {
    const result = type === 'value' ? byValue(value, options) : byRule(type, value, options);
    if (result) return result;
  }
  return undefined;
}

const byValue = (value: number | string | null, options: Record<string, unknown>): MappingResult | undefined =>
  Object.hasOwn(options, String(value)) ? (options[String(value)] as MappingResult) : undefined;

interface MappingRule {
  from?: number | null;
  to?: number | null;
  pattern?: string;
  match?: string;
  result?: MappingResult;
}

function byRule(type: string, value: number | string | null, rule: MappingRule): MappingResult | undefined {
  if (type === 'range') {
    const inside = typeof value === 'number' && value >= (rule.from ?? -Infinity) && value <= (rule.to ?? Infinity);
    return inside ? rule.result : undefined;
  }
  if (type === 'special') return isSpecial(value, rule.match ?? '') ? rule.result : undefined;
  if (type !== 'regex' || typeof value !== 'string') return undefined;
  const pattern = regexOf(rule.pattern ?? '');
  if (!pattern.test(value)) return undefined;
  const text = rule.result?.text;
  return text === undefined ? rule.result : { ...rule.result, text: value.replace(pattern, text) };
}

function isSpecial(value: number | string | null, match: string): boolean {
  const isNan = typeof value === 'number' && Number.isNaN(value);
  if (match === 'null') return value === null;
  if (match === 'nan') return isNan;
  if (match === 'null+nan') return value === null || isNan;
  return match === 'empty' && value === '';
}
