/** Elements in one expression. Text is always text, never markup. */

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
