/** How a field is shown: the panel's defaults, with the overrides that match it laid over them. */

import type { FieldConfig, FieldConfigSource, Override, ValueMapping } from './model';
import { thresholdColour } from './colours';
import { formatValue } from './units';

export interface FieldIdentity {
  name: string;
  refId?: string;
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
export function show(value: number, config: FieldConfig): Shown {
  const mapped = mappedValue(value, config.mappings ?? []);
  const byThreshold = config.color?.mode === 'thresholds' ? thresholdColour(value, config.thresholds?.steps ?? []) : null;
  return {
    text: mapped?.text ?? formatValue(value, config.unit, config.decimals),
    colour: mapped?.color ?? byThreshold,
  };
}

function matches({ matcher }: Override, field: FieldIdentity): boolean {
  if (matcher.id === 'byName') return matcher.options === field.name;
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

function mappedValue(value: number, mappings: readonly ValueMapping[]): MappingResult | undefined {
  for (const { type, options } of mappings) {
    if (type === 'value') {
      const result = (options as Record<string, MappingResult>)[String(value)];
      if (result) return result;
    } else if (type === 'range') {
      const { from, to, result } = options as { from?: number | null; to?: number | null; result?: MappingResult };
      if (value >= (from ?? -Infinity) && value <= (to ?? Infinity)) return result;
    } else if (type === 'special' && Number.isNaN(value)) {
      const { match, result } = options as { match?: string; result?: MappingResult };
      if (match === 'nan' || match === 'null+nan') return result;
    }
  }
  return undefined;
}
