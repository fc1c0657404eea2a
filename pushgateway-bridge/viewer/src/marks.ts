/** Alerts (or what else the dashboard's annotations ask for) as marks on the time axis. */

import { queryRange } from './api';
import type { Theme } from './colours';
import { namedColour } from './colours';
import { interpolate, type Several, type Values, withMacros } from './interpolate';
import type { AnnotationDefinition } from './model';
import { aligned, rateInterval, stepFor, type TimeWindow } from './timerange';

/** Unix seconds from when to when something was so, and what. */
export interface Mark {
  from: number;
  to: number;
  title: string;
  text: string;
  /** By Grafana's name. */
  colour: string;
}

const MOST_MARKS = 200;
const POINTS = 300;
const MIN_STEP_SECONDS = 15;
const SEVERITIES: Record<string, string> = { critical: 'red', warning: 'orange', info: 'blue' };

/** The marks of the time range, oldest first, at most 200. */
export async function loadMarks(
  definitions: readonly AnnotationDefinition[],
  values: Values,
  window: TimeWindow,
  signal: AbortSignal,
): Promise<Mark[]> {
  const own = definitions.filter(({ enable = true, expr, target }) => enable && (target?.expr ?? expr));
  const wanted = own.length > 0 ? own : [{ name: 'Alerts', expr: firingAlerts(values) }];
  const step = stepFor(window, POINTS, MIN_STEP_SECONDS);
  const asked = aligned(window, step);
  const macros = withMacros(values, step, rateInterval(step, MIN_STEP_SECONDS), window.to - window.from);
  const answers = await Promise.all(
    wanted.map(async (definition) => {
      const expr = interpolate((definition as AnnotationDefinition).target?.expr ?? definition.expr ?? '', macros);
      const series = await queryRange(expr, asked, step, signal);
      return series.flatMap((one) =>
        runsOf(one.values, step).map((run) => ({ ...run, ...described(one.metric, definition) })),
      );
    }),
  );
  return answers
    .flat()
    .sort((a, b) => a.from - b.from)
    .slice(-MOST_MARKS);
}

/** Of the chosen host, if the dashboard shows one; not the alert that only says that alerting works. */
function firingAlerts(values: Values): string {
  const host = ['job', 'instance'].map((name) => [name, only(values.get(name))] as const);
  const matchers = host.every(([, value]) => value) ? host.map(([name]) => `,${name}="$${name}"`).join('') : '';
  return `ALERTS{alertstate="firing",severity!="none"${matchers}}`;
}

const only = (found: readonly string[] | Several | undefined): string | undefined =>
  found !== undefined && !('several' in found) ? found[0] : undefined;

/** Stretches without a hole; a value that is 0 is a hole too. */
export function runsOf(values: readonly (readonly [number, string])[], step: number): { from: number; to: number }[] {
  const runs: { from: number; to: number }[] = [];
  for (const [time, text] of values) {
    if (Number(text) === 0) continue;
    const last = runs[runs.length - 1];
    if (last && time - last.to <= step * 1.5) last.to = time;
    else runs.push({ from: time, to: time });
  }
  return runs;
}

function described(
  labels: Record<string, string>,
  { name, iconColor, titleFormat, textFormat }: AnnotationDefinition,
): Pick<Mark, 'title' | 'text' | 'colour'> {
  const fill = (text: string): string => text.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '');
  const rest = ['instance', 'mountpoint', 'device', 'name', 'dialect'].flatMap((label) => labels[label] ?? []);
  return {
    title: titleFormat ? fill(titleFormat) : (labels['alertname'] ?? name ?? 'Mark'),
    text: textFormat ? fill(textFormat) : [...new Set(rest)].join(' · '),
    colour: SEVERITIES[labels['severity'] ?? ''] ?? iconColor ?? 'orange',
  };
}

/** The marks that cover *time*, widened by half a step on either side. */
export const marksAt = (marks: readonly Mark[], time: number, slack: number): Mark[] =>
  marks.filter(({ from, to }) => time >= from - slack && time <= to + slack);

/** The times that *marks*, which are ordered by their beginning, cover together. */
export function together(marks: readonly Mark[]): { from: number; to: number }[] {
  const spans: { from: number; to: number }[] = [];
  for (const { from, to } of marks) {
    const last = spans[spans.length - 1];
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else spans.push({ from, to });
  }
  return spans;
}

export const markColour = ({ colour }: Mark, theme: Theme): string => namedColour(colour, theme);
