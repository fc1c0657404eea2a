/** How wide texts are drawn. */

const FAMILY = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

const context = document.createElement('canvas').getContext('2d')!;

/** In pixels, in the page's font. */
export function textWidth(text: string, pixels: number, weight = 400): number {
  context.font = `${weight} ${pixels}px ${FAMILY}`;
  return context.measureText(text).width;
}

const wide = matchMedia('(min-width: 2560px)');

/** Of axes, in pixels: larger on a wall display. */
export const axisPixels = (): number => (wide.matches ? 15 : 11);
