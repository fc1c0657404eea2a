/** Words: a safe part of Markdown. */

import { interpolateText } from '../interpolate';
import { markdown } from '../markdown';
import type { PanelContext, PanelView } from './panel';

export function textPanel({ panel, body }: PanelContext): PanelView {
  return {
    async refresh({ values }) {
      body.classList.add('prose');
      body.replaceChildren(...markdown(interpolateText(panel.options?.content ?? '', values)));
      return true;
    },
    redraw: () => undefined,
    destroy: () => body.replaceChildren(),
  };
}
