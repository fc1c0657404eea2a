/** What all charts over time share: axes, crosshair, zoom, marks, the box at the crosshair, keys. */

import uPlot from 'uplot';
import { namedColour, type Theme, translucent } from '../colours';
import { element } from '../dom';
import { axisPixels, textWidth } from '../measure';
import { type Mark, markColour, marksAt, together } from '../marks';

const CROSSHAIR = uPlot.sync('crosshair');

export const font = (): string => `${axisPixels()}px system-ui, sans-serif`;
/** How wide the texts of an axis are, with the room beside them. */
export const axisWidth = (texts: readonly string[]): number =>
  14 + Math.ceil(Math.max(20, ...texts.map((text) => textWidth(text, axisPixels()))));

export const gridColour = (theme: Theme): string => (theme === 'dark' ? '#ffffff12' : '#00000012');
export const inkColour = (theme: Theme): string => (theme === 'dark' ? '#9aa3b2' : '#5a6372');

export function axisStyle(theme: Theme): uPlot.Axis {
  return {
    stroke: inkColour(theme),
    font: font(),
    grid: { stroke: gridColour(theme), width: 1 },
    ticks: { show: false },
  };
}

export const timeAxisOf = (theme: Theme): uPlot.Axis => ({
  ...axisStyle(theme),
  size: axisPixels() > 11 ? 36 : 28,
  space: axisPixels() > 11 ? 100 : 70,
  values: (_, splits, __, ___, step) => splits.map((time) => tick(time, step)),
});

export const sharedCursor: uPlot.Cursor = {
  sync: { key: CROSSHAIR.key, setSeries: false },
  drag: { x: true, y: false, setScale: false },
  points: { size: 6 },
};

/** A tick on the time axis: seconds only where ticks are closer than a minute, the date at midnight. */
function tick(time: number, step: number): string {
  const date = new Date(time * 1000);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0;
  if (step >= 86_400 || (midnight && step >= 3_600)) {
    return date.toLocaleDateString('en-GB', { day: '2-digit', month: 'short' });
  }
  const clock: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  return date.toLocaleTimeString('en-GB', step < 60 ? { ...clock, second: '2-digit' } : clock);
}

export const timeText = (seconds: number): string => new Date(seconds * 1000).toLocaleString('sv-SE');

export function zoomPlugin(zoom: (from: number, to: number) => void): uPlot.Plugin {
  const zoomTo = (plot: uPlot): void => {
    const { left, width } = plot.select;
    if (width < 6) return;
    const [from, to] = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    zoom(from, to);
  };
  return { hooks: { setSelect: zoomTo } };
}

/** A band for as long as each mark lasts, with a line where it begins. */
export function marksPlugin(marks: () => readonly Mark[], theme: Theme): uPlot.Plugin {
  const draw = (plot: uPlot): void => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    // However many there are, the ground is tinted once.
    ctx.fillStyle = translucent(namedColour('orange', theme), 0.06);
    for (const { from, to } of together(marks())) {
      const left = plot.valToPos(from, 'x', true);
      ctx.fillRect(left, bbox.top, plot.valToPos(to, 'x', true) - left, bbox.height);
    }
    for (const mark of marks()) {
      const [left, right] = [plot.valToPos(mark.from, 'x', true), plot.valToPos(mark.to, 'x', true)];
      const colour = markColour(mark, theme);
      ctx.fillStyle = colour;
      const thick = 3 * devicePixelRatio;
      ctx.fillRect(left, bbox.top + bbox.height - thick, Math.max(right - left, thick), thick);
      ctx.strokeStyle = translucent(colour, 0.8);
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(Math.round(left) + 0.5, bbox.top);
      ctx.lineTo(Math.round(left) + 0.5, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
  return { hooks: { drawAxes: draw } };
}

export interface TooltipRow {
  name: string;
  text: string;
  colour: string;
}

/** The box at the crosshair, only on the chart that is pointed at or has the focus; the others show the line alone. */
export function tooltipPlugin(
  tooltip: HTMLElement,
  rowsAt: (index: number, plot: uPlot) => TooltipRow[],
  marks: () => readonly Mark[],
  theme: Theme,
): uPlot.Plugin {
  const hide = (): void => {
    tooltip.hidden = true;
  };
  const update = (plot: uPlot): void => {
    const index = plot.cursor.idx;
    const own = plot.over.matches(':hover') || plot.root.parentElement === document.activeElement;
    const times = plot.data[0];
    const time = index == null ? undefined : times[index];
    if (!own || index == null || time === undefined) return hide();
    const slack = ((times[times.length - 1] ?? 0) - (times[0] ?? 0)) / 80;
    const here = marksAt(marks(), plot.posToVal(plot.cursor.left ?? 0, 'x'), slack);
    const rows = rowsAt(index, plot);
    if (rows.length === 0 && here.length === 0) return hide();
    tooltip.replaceChildren(
      element('div', { class: 'tooltip-time' }, timeText(time)),
      ...rows.slice(0, MOST_ROWS).map(tooltipRow),
      ...(rows.length > MOST_ROWS ? [element('div', { class: 'tooltip-time' }, `and ${rows.length - MOST_ROWS} more`)] : []),
      ...here.slice(0, MOST_MARKS).map((mark) => markRow(mark, theme)),
    );
    tooltip.hidden = false;
    place(plot, tooltip);
  };
  return { hooks: { setCursor: update, init: (plot) => plot.over.addEventListener('mouseleave', hide) } };
}

const MOST_ROWS = 15;
const MOST_MARKS = 5;

export function colourMark(colour: string): HTMLElement {
  const mark = element('span', { class: 'mark', 'aria-hidden': 'true' });
  mark.style.background = colour;
  return mark;
}

const tooltipRow = ({ name, text, colour }: TooltipRow): HTMLElement =>
  element('div', { class: 'tooltip-row' }, colourMark(colour), element('span', {}, name), element('b', {}, text));

function markRow(mark: Mark, theme: Theme): HTMLElement {
  const text = mark.text ? `${mark.title}: ${mark.text}` : mark.title;
  return element('div', { class: 'tooltip-row tooltip-mark' }, colourMark(markColour(mark, theme)), element('span', {}, `⚑ ${text}`));
}

/** Beside the crosshair, on the side with more room, within the window. */
function place(plot: uPlot, tooltip: HTMLElement): void {
  const { left = 0, top = 0 } = plot.cursor;
  const over = plot.over.getBoundingClientRect();
  const rightHalf = left > over.width / 2;
  const wanted = over.left + left + (rightHalf ? -14 - tooltip.offsetWidth : 14);
  const x = Math.min(Math.max(wanted, 4), Math.max(innerWidth - tooltip.offsetWidth - 4, 4));
  const y = Math.min(Math.max(over.top + Math.max(top, 0), 4), Math.max(innerHeight - tooltip.offsetHeight - 4, 4));
  tooltip.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
}

/** A box of its own for each chart, over everything else on the page. */
export function newTooltip(): HTMLElement {
  const tooltip = element('div', { class: 'tooltip', hidden: true, 'aria-hidden': 'true' });
  document.body.append(tooltip);
  return tooltip;
}

/** With the focus on the chart, the arrow keys move the crosshair and Escape takes it away. */
export function keysMoveCrosshair(chart: HTMLElement, plot: () => uPlot | null): void {
  chart.addEventListener('keydown', (event) => {
    const drawn = plot();
    if (drawn === null) return;
    const last = drawn.data[0].length - 1;
    const at = drawn.cursor.idx ?? null;
    const step = event.shiftKey ? 10 : 1;
    const targets: Record<string, number> = {
      ArrowLeft: Math.max((at ?? last + 1) - step, 0),
      ArrowRight: Math.min((at ?? -1) + step, last),
      Home: 0,
      End: last,
    };
    if (event.key === 'Escape') return drawn.setCursor({ left: -10, top: -10 });
    const index = targets[event.key];
    if (index === undefined) return;
    event.preventDefault();
    drawn.setCursor({ left: drawn.valToPos(drawn.data[0][index]!, 'x'), top: drawn.over.clientHeight / 3 });
  });
  chart.addEventListener('blur', () => plot()?.setCursor({ left: -10, top: -10 }));
}
