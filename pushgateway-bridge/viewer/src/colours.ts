/** Colours by Grafana's names, for both themes, and the thresholds that choose them. */

import type { FieldConfig, Threshold } from './model';

export type Theme = 'dark' | 'light';

const NAMED: Record<Theme, Record<string, string>> = {
  dark: {
    green: '#73bf69',
    'light-green': '#b7e6ae',
    'dark-red': '#c4162a',
    yellow: '#fade2a',
    orange: '#ff9830',
    red: '#f2495c',
    blue: '#5794f2',
    purple: '#b877d9',
    text: '#e6e9f0',
    '#eab839': '#eab839',
  },
  light: {
    green: '#24813b',
    'light-green': '#7cc48c',
    'dark-red': '#7d0f1c',
    yellow: '#9a6d00',
    orange: '#bb5500',
    red: '#c4162a',
    blue: '#1f5fc4',
    purple: '#7c2ea3',
    text: '#1b1f27',
    '#eab839': '#946a00',
  },
};

const PALETTE: Record<Theme, readonly string[]> = {
  dark: ['#73bf69', '#f2cc0c', '#5794f2', '#ff9830', '#b877d9', '#37bbc8', '#f2495c', '#8ab8ff', '#e0b400', '#ff7eb6'],
  light: ['#2f8a43', '#b98300', '#2766cf', '#d2660a', '#8a3bb5', '#0a8793', '#cf2338', '#5b8ad6', '#8d7200', '#c43f83'],
};

/** The colour that Grafana calls *name*; anything else is taken as a CSS colour. */
export function namedColour(name: string, theme: Theme): string {
  const known = NAMED[theme];
  const plain = name.toLowerCase();
  return known[plain] ?? known[plain.replace(/^(semi-|super-)?(dark|light)-/, '')] ?? name;
}

/** Colour of the series at *index*, unless its field has a fixed one. */
export function seriesColour(config: FieldConfig, index: number, theme: Theme): string {
  if (config.color?.mode === 'fixed' && config.color.fixedColor) return namedColour(config.color.fixedColor, theme);
  return PALETTE[theme][index % PALETTE[theme].length]!;
}

/** Name of the colour whose threshold *value* has reached. The first step has no value: it starts below everything. */
export function thresholdColour(value: number, steps: readonly Threshold[]): string {
  return [...steps].reverse().find((step) => step.value === null || value >= step.value)?.color ?? 'text';
}

/** *colour* (`#rrggbb`) with an opacity from 0 to 1. */
export function translucent(colour: string, opacity: number): string {
  const alpha = Math.round(Math.min(Math.max(opacity, 0), 1) * 255);
  return /^#[0-9a-f]{6}$/i.test(colour) ? colour + alpha.toString(16).padStart(2, '0') : colour;
}
