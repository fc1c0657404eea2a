/** Links of panels and cells: Grafana's placeholders filled, `/d/<uid>` kept on this page. */

import { interpolateText, plainValues, type Several, type Values } from './interpolate';
import type { DashboardLink, Link } from './model';
import type { TimeWindow } from './timerange';

/** What the placeholders of a link stand for. */
export interface LinkScope {
  values: Values;
  window: TimeWindow;
  /** The range as the page's address has it, so that a moving window goes on moving. */
  range?: { from: string; to: string };
  /** Name of the field or series. */
  name?: string;
  labels?: Record<string, string>;
  /** The value as it is shown, and as it is. */
  text?: string;
  raw?: string | number | null;
  /** The cells of the row by heading. */
  fields?: Record<string, string>;
}

export interface ResolvedLink {
  title: string;
  href: string;
  /** Whether it leads to a dashboard on this page. */
  inside: boolean;
  blank: boolean;
}

const LINK_PLACEHOLDER = /\$\{(__[^}]+)\}|\$(__\w+(?:\.\w+)*)/g;

/** The link with everything filled; null if it leads to anything but a web page. */
export function resolveLink(link: Link, scope: LinkScope): ResolvedLink | null {
  const pattern = link.url?.trim();
  if (!pattern) return null;
  const href = filled(pattern, scope);
  const title = filledText(link.title ?? '', scope) || href;
  const inside = dashboardAddress(href);
  if (inside !== null) return { title, href: inside, inside: true, blank: link.targetBlank ?? false };
  const safe = /^https?:\/\//i.test(href) || /^\/(?![/\\])/.test(href);
  return safe ? { title, href, inside: false, blank: link.targetBlank ?? false } : null;
}

/** `/d/<uid>/<slug>?…` as this page's own address; null for any other. */
export function dashboardAddress(href: string): string | null {
  const match = /^\/d\/([^/?#]+)(?:\/[^?#]*)?(?:\?([^#]*))?$/.exec(href);
  if (!match) return null;
  const parameters = new URLSearchParams(match[2] ?? '');
  parameters.delete('uid');
  const rest = parameters.toString();
  return `/dashboard?uid=${match[1]}${rest ? `&${rest}` : ''}`;
}

/** A dashboard's or panel's link, with variables and time if it says so. */
export function resolveDashboardLink(link: DashboardLink, scope: LinkScope): ResolvedLink | null {
  const extra = [
    ...(link.keepTime ? [timeParameters(scope)] : []),
    ...(link.includeVars ? [variableParameters(scope.values)] : []),
  ].filter(Boolean);
  if (extra.length === 0 || !link.url) return resolveLink(link, scope);
  const url = `${link.url}${link.url.includes('?') ? '&' : '?'}${extra.join('&')}`;
  return resolveLink({ ...link, url }, scope);
}

function filled(pattern: string, scope: LinkScope): string {
  const encode = (text: string, offset: number): string => (offset === 0 ? text : encodeURIComponent(text));
  const special = pattern.replace(LINK_PLACEHOLDER, (placeholder, braced, plain, offset: number) => {
    const path = String(braced ?? plain).replace(/:(percentencode|queryparam|raw|text)$/, '');
    if (path === '__url_time_range') return timeParameters(scope);
    if (path === '__all_variables') return variableParameters(scope.values);
    const found = specialValue(path, scope);
    return found === undefined ? placeholder : encode(found, offset);
  });
  return special.replace(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (placeholder, braced, format, plain, offset: number) => {
    const name = String(braced ?? plain);
    const found = scope.values.get(name);
    if (found === undefined) return placeholder;
    if (format === 'queryparam') return parametersOf(name, addressValues(found));
    return encode(plainValues(found).join(','), offset);
  });
}

function filledText(text: string, scope: LinkScope): string {
  const special = text.replace(LINK_PLACEHOLDER, (placeholder, braced, plain) => {
    return specialValue(String(braced ?? plain), scope) ?? placeholder;
  });
  return interpolateText(special, scope.values);
}

function specialValue(path: string, scope: LinkScope): string | undefined {
  const [, head = '', rest = ''] = /^(__\w+(?:\.(?:fields|labels|text|raw|numeric|name|time))?)(.*)$/.exec(path) ?? [];
  const key = keyOf(rest);
  switch (head) {
    case '__value.text':
      return scope.text ?? '';
    case '__value.raw':
    case '__value.numeric':
      return scope.raw == null ? '' : String(scope.raw);
    case '__field.name':
    case '__series.name':
      return scope.name ?? '';
    case '__field.labels':
      return scope.labels?.[key] ?? '';
    case '__data.fields':
      return Object.values(scope.fields ?? {})[/^\d+$/.test(key) ? Number(key) : -1] ?? scope.fields?.[key] ?? '';
    case '__from':
      return String(Math.round(scope.window.from * 1000));
    case '__to':
      return String(Math.round(scope.window.to * 1000));
    default:
      return undefined;
  }
}

/** `.name`, `["name with blanks"]` and `[0]`. */
const keyOf = (rest: string): string => rest.replace(/^\./, '').replace(/^\[["']?(.*?)["']?\]$/, '$1');

function timeParameters({ range, window }: LinkScope): string {
  const from = range?.from ?? String(Math.round(window.from * 1000));
  const to = range?.to ?? String(Math.round(window.to * 1000));
  return `from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`;
}

const variableParameters = (values: Values): string =>
  [...values].map(([name, found]) => parametersOf(name, addressValues(found))).join('&');

const addressValues = (found: readonly string[] | Several): readonly string[] =>
  'several' in found ? (found.chosen ?? found.several) : found;

const parametersOf = (name: string, values: readonly string[]): string =>
  values.map((value) => `var-${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
