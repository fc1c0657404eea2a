/** Elements in one expression. Text is always text, never markup. */

import type { ResolvedLink } from './links';

type Attributes = Record<string, string | boolean | ((event: Event) => void)>;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value);
    else if (typeof value === 'boolean') made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** A choice of *options* (value, text); *chosen* is added if it is not among them. */
export function choice(
  label: string,
  options: readonly (readonly [string, string])[],
  chosen: string,
  onChange: (value: string) => void,
): HTMLSelectElement {
  const all = options.some(([value]) => value === chosen) ? options : [[chosen, chosen] as const, ...options];
  const select = element(
    'select',
    { 'aria-label': label, change: () => onChange(select.value) },
    ...all.map(([value, text]) => element('option', { value, selected: value === chosen }, text)),
  );
  return select;
}

const SVG = 'http://www.w3.org/2000/svg';

/** An element of a drawing. */
export function drawing<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number> = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** *element* with style properties: an attribute `style` would be inline, which the page's policy forbids. */
export function styled<E extends HTMLElement | SVGElement>(made: E, properties: Record<string, string>): E {
  for (const [name, value] of Object.entries(properties)) made.style.setProperty(name, value);
  return made;
}

/** An element that is a link if there is one, else a plain span. */
export function linked(link: ResolvedLink | null, ...children: (Node | string)[]): HTMLElement {
  return link ? anchor(link, ...children) : element('span', {}, ...children);
}

export function anchor(link: ResolvedLink, ...children: (Node | string)[]): HTMLAnchorElement {
  const outside = link.inside ? {} : { rel: 'noreferrer' };
  const made = element('a', { href: link.href, title: link.title, ...outside }, ...children);
  if (link.blank) made.target = '_blank';
  return made;
}
