/** The frame around a panel: heading, description, and one of loading, ready, empty or failed. */

import { RequestFailed } from '../api';
import { anchor, element } from '../dom';
import { interpolateText } from '../interpolate';
import { resolveDashboardLink } from '../links';
import type { PanelQuery } from '../load';
import type { Panel } from '../model';
import { panelKind } from './index';
import type { PanelContext } from './panel';

type State = 'waiting' | 'loading' | 'ready' | 'empty' | 'error';

export type FrameQuery = Omit<PanelQuery, 'panel' | 'width'>;

export interface Frame {
  root: HTMLElement;
  refresh(query: FrameQuery): Promise<void>;
  /** Tells that nothing could be asked. */
  fail(error: unknown): void;
  redraw(): void;
  recolour(): void;
  remark(): void;
  destroy(): void;
}

/** A panel; one that waits is folded away, so it asks nothing. */
export function framePanel(panel: Panel, surroundings: Omit<PanelContext, 'panel' | 'body'>, waiting: boolean): Frame {
  const title = element('h3', {}, panel.title ?? '');
  const links = element('span', { class: 'panel-links' });
  const body = element('div', { class: 'panel-body' });
  const message = element('p', { class: 'message', role: 'status', hidden: true });
  const root = element(
    'article',
    { class: `panel panel-${panel.type}`, 'data-panel': String(panel.id), 'aria-label': panel.title ?? panel.type },
    element('header', {}, title, ...description(panel), links),
    body,
    message,
  );
  position(root, panel);
  const view = panelKind(panel.type)({ ...surroundings, panel, body });
  let state: State = 'loading';

  const become = (next: State, text = ''): void => {
    state = next;
    root.dataset['state'] = next;
    root.setAttribute('aria-busy', String(next === 'loading'));
    message.hidden = next !== 'error' && next !== 'empty';
    if (message.textContent !== text) message.textContent = text;
  };
  become(waiting ? 'waiting' : 'loading');

  const observer = new ResizeObserver(() => state === 'ready' && view.redraw());
  observer.observe(body);

  return {
    root,
    async refresh(query) {
      title.textContent = interpolateText(panel.title ?? '', query.values);
      title.title = title.textContent;
      links.replaceChildren(...panelLinks(panel, query));
      root.dataset['refreshing'] = '';
      if (state === 'waiting') become('loading');
      try {
        const drawn = await view.refresh({ ...query, panel, width: body.clientWidth });
        if (query.signal.aborted) return;
        become(drawn ? 'ready' : 'empty', drawn ? '' : (panel.fieldConfig?.defaults?.noValue ?? 'No data'));
      } catch (error) {
        if (!query.signal.aborted) become('error', reasonOf(error));
      } finally {
        if (!query.signal.aborted) delete root.dataset['refreshing'];
      }
    },
    fail: (error) => become('error', error instanceof Error ? error.message : String(error)),
    redraw: () => view.redraw(),
    recolour: () => (view.recolour ?? view.redraw)(),
    remark: () => view.remark?.(),
    destroy() {
      observer.disconnect();
      view.destroy();
    },
  };
}

function panelLinks({ links = [] }: Panel, { values, window, range }: FrameQuery): HTMLElement[] {
  return links.flatMap((link) => {
    const resolved = resolveDashboardLink(link, { values, window, ...(range ? { range } : {}) });
    return resolved ? [anchor(resolved, `${resolved.title} ›`)] : [];
  });
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
