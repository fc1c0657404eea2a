/** The dashboard's variables: their options, what is chosen, and how that stands in the page's address. */

import { labelValues, queryInstant, type RawSeries, RequestFailed } from './api';
import { interpolate, withRange, type Several, type Values } from './interpolate';
import type { VariableDefinition } from './model';
import type { TimeWindow } from './timerange';

/** What stands in the address for all options of a variable. */
export const ALL = '$__all';

export interface Variable {
  definition: VariableDefinition;
  options: string[];
  chosen: string[];
}

/** Those that a person chooses; the data source is always the one behind the bridge. */
export const isShown = ({ definition }: Variable): boolean =>
  definition.type !== 'datasource' && definition.type !== 'constant' && definition.hide !== 2;

/** Whether a person may choose several options. */
export const isMulti = ({ definition }: Variable): boolean => definition.multi === true;

/**
 * Options and choices, in the dashboard's order: a query may use the variables before it.
 *
 * What the address asks for is taken even if it is not among the options: a host may have been silent for the
 * whole time range. Otherwise all are chosen where that can be, or what the dashboard says, or the first option.
 */
export async function resolveVariables(
  definitions: readonly VariableDefinition[],
  address: URLSearchParams,
  window: TimeWindow,
  signal: AbortSignal,
): Promise<Variable[]> {
  const resolved: Variable[] = [];
  for (const definition of definitions) {
    const options = await optionsOf(definition, chosenValues(resolved), window, signal);
    const asked = definition.skipUrlSync ? [] : address.getAll(`var-${definition.name}`);
    resolved.push({ definition, options, chosen: asked.length > 0 ? asked : byDefault(definition, options) });
  }
  return resolved;
}

function byDefault({ current, includeAll, type }: VariableDefinition, options: readonly string[]): string[] {
  const saved = [current?.value ?? []].flat().filter((value) => options.includes(value));
  if (saved.length > 0 && type !== 'query') return saved;
  if (includeAll) return saved.length > 0 ? saved : [ALL];
  return options.slice(0, 1);
}

export const chosenValues = (variables: readonly Variable[]): Values =>
  new Map(variables.map((variable) => [variable.definition.name, valueOf(variable)]));

function valueOf({ definition, options, chosen }: Variable): readonly string[] | Several {
  if (!definition.multi && !definition.includeAll) return chosen.length > 0 ? chosen : [''];
  if (!chosen.includes(ALL)) return { several: chosen, chosen };
  return { several: options, chosen, ...(definition.allValue ? { all: definition.allValue } : {}) };
}

/** What was asked for by the address and is not there in the time range, as `Host web-9`. */
export const unknownChoices = (variables: readonly Variable[]): string[] =>
  variables
    .filter((variable) => variable.definition.type === 'query' && isShown(variable))
    .flatMap(({ definition, options, chosen }) =>
      chosen
        .filter((value) => value !== ALL && !options.includes(value))
        .map((value) => `${definition.label ?? definition.name} ${value}`),
    );

async function optionsOf(
  definition: VariableDefinition,
  values: Values,
  window: TimeWindow,
  signal: AbortSignal,
): Promise<string[]> {
  const query = typeof definition.query === 'string' ? definition.query : (definition.query?.query ?? '');
  if (definition.type !== 'query') return staticOptions(definition, query);
  const found = await asked(interpolate(query, withRange(values, window.to - window.from)), window, signal);
  return sorted(filtered(found, definition.regex), definition.sort ?? 0);
}

function staticOptions(definition: VariableDefinition, query: string): string[] {
  if (definition.type === 'custom' || definition.type === 'interval') {
    return query.split(/\s*,\s*/).filter(Boolean);
  }
  return [definition.current?.value ?? query].flat();
}

/** `label_values(label)`, `label_values(selector, label)` and `query_result(expression)`. */
async function asked(query: string, window: TimeWindow, signal: AbortSignal): Promise<string[]> {
  const labels = /^\s*label_values\((?:(.+),)?\s*([A-Za-z_]\w*)\s*\)\s*$/s.exec(query);
  if (labels) return labelValues(labels[2]!, labels[1]?.trim() || null, window, signal);
  const result = /^\s*query_result\((.+)\)\s*$/s.exec(query);
  if (!result) throw new RequestFailed(`this kind of variable query is not known here: ${query}`);
  const series = await queryInstant(result[1]!, window.to, signal);
  return series.map(asText);
}

/** A series as Grafana writes it, for the variable's regular expression. */
function asText({ metric, values }: RawSeries): string {
  const { __name__: name = '', ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const [time, value] = values[0]!;
  return `${name}{${pairs.join(',')}} ${value} ${time * 1000}`;
}

function filtered(options: readonly string[], regex: string | undefined): string[] {
  if (!regex) return [...options];
  const pattern = new RegExp(regex.replace(/^\/(.*)\/[a-z]*$/s, '$1'));
  const picked = options.map((option) => pattern.exec(option)).filter((match) => match !== null);
  return [...new Set(picked.map((match) => match[1] ?? match[0]))];
}

/** Grafana's numbers: odd ones ascend; 3 and 4 compare as numbers, 7 and 8 naturally. */
function sorted(options: string[], sort: number): string[] {
  if (sort === 0) return options;
  const numeric = sort === 3 || sort === 4 || sort >= 7;
  const ascending = [...options].sort((a, b) => a.localeCompare(b, 'en', { numeric }));
  return sort % 2 === 1 ? ascending : ascending.reverse();
}
