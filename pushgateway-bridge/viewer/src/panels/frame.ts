/** The frame around a panel: heading, description, and one of loading, ready, empty or failed. */

import { RequestFailed } from '../api';
import type { Theme } from '../colours';
import { element } from '../dom';
import { interpolate } from '../interpolate';
import type { PanelQuery } from '../load';
import type { Panel } from '../model';
import { panelKind } from './index';

type State = 'loading' | 'ready' | 'empty' | 'error';

export interface Frame {
  root: HTMLElement;
  refresh(query: Omit<PanelQuery, 'panel' | 'width'>): Promise<void>;
  redraw(): void;
  destroy(): void;
}

export function framePanel(panel: Panel, theme: () => Theme, zoom: (from: number, to: number) => void): Frame {
  const title = element('h3', {}, panel.title ?? '');
  const body = element('div', { class: 'panel-body' });
  const message = element('p', { class: 'message', role: 'status', hidden: true });
  const root = element(
    'article',
    { class: `panel panel-${panel.type}`, 'data-panel': String(panel.id), 'aria-label': panel.title ?? panel.type },
    element('header', {}, title, ...description(panel)),
    body,
    message,
  );
  position(root, panel);
  const view = panelKind(panel.type)({ panel, body, theme, zoom });
  let state: State = 'loading';

  const become = (next: State, text = ''): void => {
    state = next;
    root.dataset['state'] = next;
    root.setAttribute('aria-busy', String(next === 'loading'));
    message.hidden = next !== 'error' && next !== 'empty';
    message.textContent = text;
  };
  become('loading');

  const observer = new ResizeObserver(() => state === 'ready' && view.redraw());
  observer.observe(body);

  return {
    root,
    async refresh(query) {
      title.textContent = interpolate(panel.title ?? '', query.values);
      root.dataset['refreshing'] = '';
      try {
        const drawn = await view.refresh({ ...query, panel, width: body.clientWidth });
        become(drawn ? 'ready' : 'empty', drawn ? '' : (panel.fieldConfig?.defaults?.noValue ?? 'No data'));
      } catch (error) {
        if (!query.signal.aborted) become('error', reasonOf(error));
      } finally {
        if (!query.signal.aborted) delete root.dataset['refreshing'];
      }
    },
    redraw: () => view.redraw(),
    destroy() {
      observer.disconnect();
      view.destroy();
    },
  };
}

function description({ description: text }: Panel): HTMLElement[] {
  if (!text) return [];
  return [element('button', { type: 'button', class: 'about', 'aria-label': text, 'data-tip': text }, 'i')];
}

/** Where the panel stands on the grid of its section. With less room panels follow each other: then only sizes count. */
function position(root: HTMLElement, { gridPos: { x, y, w, h } }: Panel): void {
  const places = { x: x + 1, y: y + 1, w, h };
  for (const [name, value] of Object.entries(places)) root.style.setProperty(`--${name}`, String(value));
  root.dataset['size'] = w <= 4 ? 'small' : w <= 12 ? 'medium' : 'large';
}

/** What to tell a person. Anything but a failed request is an error of ours, which belongs on the console too. */
function reasonOf(error: unknown): string {
  if (error instanceof RequestFailed) return error.message;
  console.error(error);
  return error instanceof Error ? error.message : String(error);
}
