"""What a column of a table may have beside its unit: a link, words for its numbers, a colour, a width.

Each function takes a finished table and the heading of the column.
"""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import table as table_builders
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, ValueMap, ValueMappingResult


def linked(panel: table_builders.Panel, heading: str, title: str, url: str) -> table_builders.Panel:
    """*panel* whose cells under *heading* lead to *url*, in which ``${__data.fields.X}`` is the row's column X."""
    return panel.override_by_name(heading, [DynamicConfigValue("links", [{"title": title, "url": url}])])


def worded(
    panel: table_builders.Panel, heading: str, words: Mapping[int, tuple[str, str]]
) -> table_builders.Panel:
    """*panel* with a word and its colour for each of these numbers under *heading*."""
    mapping = ValueMap(
        {
            str(number): ValueMappingResult(text=word, color=colour, index=index)
            for index, (number, (word, colour)) in enumerate(words.items())
        }
    )
    return _as_coloured_text(
        panel.override_by_name(heading, [DynamicConfigValue("mappings", [mapping])]), heading
    )


def tinted(panel: table_builders.Panel, heading: str) -> table_builders.Panel:
    """*panel* with the numbers under *heading* in the colours of the column's limits, instead of bars."""
    return _as_coloured_text(panel, heading)


def sized(panel: table_builders.Panel, widths: Mapping[str, int]) -> table_builders.Panel:
    """*panel* with a fixed width, in pixels, for the columns under these headings."""
    for heading, width in widths.items():
        panel = panel.override_by_name(heading, [DynamicConfigValue("custom.width", width)])
    return panel


def _as_coloured_text(panel: table_builders.Panel, heading: str) -> table_builders.Panel:
    text = DynamicConfigValue("custom.cellOptions", common.TableColorTextCellOptions())
    return panel.override_by_name(heading, [text])
