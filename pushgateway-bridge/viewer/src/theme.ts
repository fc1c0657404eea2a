/** Dark or light: as the system says until a person chooses, then as they chose. */

import type { Theme } from './colours';

const KEY = 'telemetry-theme';
const systemIsLight = matchMedia('(prefers-color-scheme: light)');

export class ThemeSwitch {
  private chosen: Theme | null;

  /** Called after the theme changed. */
  onChange: () => void = () => undefined;

  constructor() {
    const stored = localStorage.getItem(KEY);
    this.chosen = stored === 'dark' || stored === 'light' ? stored : null;
    systemIsLight.addEventListener('change', () => this.apply());
    this.apply();
  }

  get current(): Theme {
    return this.chosen ?? (systemIsLight.matches ? 'light' : 'dark');
  }

  toggle(): void {
    this.chosen = this.current === 'dark' ? 'light' : 'dark';
    localStorage.setItem(KEY, this.chosen);
    this.apply();
  }

  private apply(): void {
    document.documentElement.dataset['theme'] = this.current;
    this.onChange();
  }
}
