/** What the page's address holds, under Grafana's names: `uid`, `var-<name>`, `from`, `to`, `refresh`. */

export const readAddress = (): URLSearchParams => new URLSearchParams(location.search);

/** Change some parameters (null removes one) without reloading. */
export function writeAddress(changes: Record<string, string | null>): void {
  const parameters = readAddress();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) parameters.delete(name);
    else parameters.set(name, value);
  }
  const query = parameters.toString();
  history.pushState(null, '', query ? `?${query}` : location.pathname);
}
