/** What every kind of panel gives: a view that lives as long as its panel and is filled anew at each refresh. */

import type { Theme } from '../colours';
import type { PanelQuery } from '../load';
import type { Panel } from '../model';

export interface PanelContext {
  panel: Panel;
  body: HTMLElement;
  theme: () => Theme;
  /** Called with Unix seconds when a person picks a part of the time axis. */
  zoom: (from: number, to: number) => void;
}

export interface PanelView {
  /** Asks and draws. Gives false if there was nothing to draw. */
  refresh(query: PanelQuery): Promise<boolean>;
  /** Draws again what was drawn last: the size or the theme changed. */
  redraw(): void;
  destroy(): void;
}

export type PanelKind = (context: PanelContext) => PanelView;
