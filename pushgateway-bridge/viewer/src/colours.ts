/** Colours by Grafana's names, for both themes, and the thresholds that choose them. */

import type { FieldConfig, Threshold } from './model';

export type Theme = 'dark' | 'light';

/** Grafana's hues, each as super-light, light, plain, semi-dark and dark. */
const HUES: Record<Theme, Record<string, readonly string[]>> = {
  dark: {
    red: ['#ffa6b0', '#ff7383', '#f2495c', '#e02f44', '#c4162a'],
    orange: ['#ffcb7d', '#ffb357', '#ff9830', '#ff780a', '#fa6400'],
    yellow: ['#fff899', '#ffee52', '#fade2a', '#f2cc0c', '#e0b400'],
    green: ['#c8f2c2', '#96d98d', '#73bf69', '#56a64b', '#37872d'],
    blue: ['#c0d8ff', '#8ab8ff', '#5794f2', '#3274d9', '#1f60c4'],
    purple: ['#deb6f2', '#ca95e5', '#b877d9', '#a352cc', '#8f3bb8'],
  },
  // Darker than Grafana's, so that numbers in these colours can be read on white.
  light: {
    red: ['#e5808c', '#d94a5c', '#c4162a', '#a51224', '#7d0f1c'],
    orange: ['#e0985a', '#d2660a', '#bb5500', '#9c4700', '#7a3800'],
    yellow: ['#c9a53c', '#b98300', '#9a6d00', '#7d5900', '#634700'],
    green: ['#7cc48c', '#4aa561', '#24813b', '#1c6a30', '#145024'],
    blue: ['#8aaee6', '#5b8ad6', '#1f5fc4', '#1a4fa3', '#143d7f'],
    purple: ['#b98fd3', '#a062c2', '#7c2ea3', '#672688', '#501d6a'],
  },
};
const SHADES = ['super-light', 'light', '', 'semi-dark', 'dark'];

const NAMED: Record<Theme, Record<string, string>> = {
  dark: { ...shades('dark'), text: '#e6e9f0', transparent: '#00000000', gray: '#9aa3b2', grey: '#9aa3b2' },
  light: {
    ...shades('light'),
    ...ofDarkTheme(),
    text: '#1b1f27',
    transparent: '#00000000',
    gray: '#5a6372',
    grey: '#5a6372',
    '#eab839': '#946a00',
  },
};

function shades(theme: Theme): Record<string, string> {
  const named = Object.entries(HUES[theme]).flatMap(([hue, colours]) =>
    colours.map((colour, index) => [SHADES[index] ? `${SHADES[index]}-${hue}` : hue, colour] as const),
  );
  return Object.fromEntries(named);
}

/** Dashboards also name Grafana's hues by their numbers in the dark theme; on white they are as pale as the names. */
function ofDarkTheme(): Record<string, string> {
  const pairs = Object.entries(HUES.dark).flatMap(([hue, colours]) =>
    colours.map((colour, index) => [colour, HUES.light[hue]![index]!] as const),
  );
  return Object.fromEntries(pairs);
}

const PALETTE: Record<Theme, readonly string[]> = {
  dark: ['#73bf69', '#f2cc0c', '#5794f2', '#ff9830', '#b877d9', '#37bbc8', '#f2495c', '#8ab8ff', '#e0b400', '#ff7eb6'],
  light: ['#2f8a43', '#b98300', '#2766cf', '#d2660a', '#8a3bb5', '#0a8793', '#cf2338', '#5b8ad6', '#8d7200', '#c43f83'],
};

/** The colour that Grafana calls *name*; anything else is taken as a CSS colour. */
export function namedColour(name: string, theme: Theme): string {
  return NAMED[theme][name.toLowerCase()] ?? name;
}

/** Colour of the series at *index*, unless its field has a fixed one. */
export function seriesColour(config: FieldConfig, index: number, theme: Theme): string {
  const { mode, fixedColor } = config.color ?? {};
  if ((mode === 'fixed' || mode === 'shades') && fixedColor) return namedColour(fixedColor, theme);
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

/** White or black: what can be read on *colour* (`#rrggbb`). */
export function inkOn(colour: string): string {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));
  return red * 0.299 + green * 0.587 + blue * 0.114 > 140 ? '#12151b' : '#ffffff';
}
