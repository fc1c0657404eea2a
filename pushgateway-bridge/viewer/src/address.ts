/** What the page's address holds, under Grafana's names: `uid`, `var-<name>`, `from`, `to`, `refresh`; beside them `alerts` and `cycle`. */

export const readAddress = (): URLSearchParams => new URLSearchParams(location.search);

/** Change some parameters (null removes one) without reloading. */
export function writeAddress(changes: Record<string, string | readonly string[] | null>): void {
  const parameters = readAddress();
  for (const [name, value] of Object.entries(changes)) {
    parameters.delete(name);
    for (const one of value === null ? [] : [value].flat()) parameters.append(name, one);
  }
  const query = parameters.toString();
  history.pushState(null, '', query ? `?${query}` : location.pathname);
}
