/** Rows of a dashboard → sections that can be folded. */

import type { Panel } from './model';

export interface Section {
  /** Empty for the panels before the first row. */
  title: string;
  folded: boolean;
  /** Placed relative to the section's top. */
  panels: Panel[];
}

export function sectionsOf(panels: readonly Panel[]): Section[] {
  const sections: Section[] = [];
  let current: Section = { title: '', folded: false, panels: [] };
  for (const panel of panels) {
    if (panel.type === 'row') {
      sections.push(current);
      current = { title: panel.title ?? '', folded: panel.collapsed ?? false, panels: [...(panel.panels ?? [])] };
    } else {
      current.panels.push(panel);
    }
  }
  sections.push(current);
  return sections.filter(({ title, panels: own }) => title !== '' || own.length > 0).map(fromTop);
}

function fromTop(section: Section): Section {
  const top = Math.min(...section.panels.map(({ gridPos }) => gridPos.y));
  const panels = section.panels.map((panel) => ({ ...panel, gridPos: { ...panel.gridPos, y: panel.gridPos.y - top } }));
  return { ...section, panels };
}
