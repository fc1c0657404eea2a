/** What every kind of panel gives: a view that lives as long as its panel and is filled anew at each refresh. */

import type { Mark } from '../marks';
import type { Theme } from '../colours';
import type { PanelQuery } from '../load';
import type { Panel } from '../model';

export interface PanelContext {
  panel: Panel;
  body: HTMLElement;
  theme: () => Theme;
  /** Called with Unix seconds when a person picks a part of the time axis. */
  zoom: (from: number, to: number) => void;
  /** What happened in the time range, to be marked on time axes. */
  marks: () => readonly Mark[];
}

export interface PanelView {
  /** Asks and draws. Gives false if there was nothing to draw. */
  refresh(query: PanelQuery): Promise<boolean>;
  /** Draws again what was drawn last: the size changed. */
  redraw(): void;
  /** Draws again because the theme changed, if that is more than a redraw. */
  recolour?(): void;
  /** Draws the marks again: they came, or are no longer wanted. */
  remark?(): void;
  destroy(): void;
}

export type PanelKind = (context: PanelContext) => PanelView;
