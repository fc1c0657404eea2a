/** From where to where an axis of values goes, where its ticks stand, and what of it bars cover. Pure. */

import uPlot from 'uplot';
import type { FieldConfig } from './model';
import { tickIncrements } from './units';

/** The ends of an axis for values from *low* to *high*, with some room, unless the field says where it ends. */
export function valueRange(low: number | null, high: number | null, config: FieldConfig): [number, number] {
  // uPlot would show nothing but zeros between 0 and 100.
  const flat = !low && !high;
  const [bottom, top] = flat ? [0, 1] : uPlot.rangeNum(low ?? 0, high ?? 1, 0.1, true);
  const from = config.min ?? bottom ?? 0;
  const to = config.max ?? top ?? 1;
  return [from, to > from ? to : from + 1];
}

/** Round values between the ends, as close as *most* of them allow. */
export function ticksOf([low, high]: readonly [number, number], most: number, { unit, decimals }: FieldConfig): number[] {
  const length = high - low;
  const fits = (step: number): boolean => length / step <= Math.max(most, 1) && (decimals !== 0 || step >= 1);
  const power = 10 ** Math.floor(Math.log10(length / Math.max(most, 1)));
  const decimal = [1, 2, 5, 10, 20, 50, 100].map((digits) => digits * power);
  const step = tickIncrements(unit)?.find(fits) ?? decimal.find(fits) ?? Math.max(decimal.at(-1)!, 1);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** From where to where each bar of a group goes: from zero, or stacked on the one before it on the same side of zero. */
export function barSpans(values: readonly number[], stacking: string | undefined): [number, number][] {
  if (stacking !== 'normal' && stacking !== 'percent') return values.map((value) => [0, value]);
  const whole = stacking === 'percent' ? values.reduce((sum, value) => sum + Math.abs(value), 0) || 1 : 1;
  const ends = { above: 0, below: 0 };
  return values.map((value) => {
    const side = value < 0 ? 'below' : 'above';
    const from = ends[side];
    ends[side] += value / whole;
    return [from, ends[side]];
  });
}
