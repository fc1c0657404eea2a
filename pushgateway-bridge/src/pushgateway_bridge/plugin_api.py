"""What a dialect plugin may use: everything that this module names, and nothing else of the bridge.

A plugin is a distribution with an entry point in the group ``pushgateway_bridge.dialects`` that gives a ``Dialect``
or a callable that gives one. Its module says in ``PLUGIN_API_VERSION`` for which version of this module it was made,
as a number of its own.

``API_VERSION`` goes up when something that a plugin may rely on goes away or means something else: a name here, a
field, what the bridge does with it. The bridge then refuses plugins made for an earlier version, or goes on to take
them, and the changelog says which. What is only added (a name, a field with a default) leaves the number as it is.

Of a ``Report`` a plugin sets ``groups``, ``accepted``, ``skipped``, ``skipped_values``, ``timestamps_replaced``,
``rejected`` and ``answer``; of a ``GroupReport`` everything but ``initial``. The other fields belong to the bridge's
own dialects. See docs/plugins.md.
"""

from __future__ import annotations

from typing import Final

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Pusher, PushLimits, Reply, TokenNeed
from pushgateway_bridge.dialects.json_body import read_json
from pushgateway_bridge.dialects.masking import mask_addresses, mask_paths, mask_text
from pushgateway_bridge.errors import (
    BodyTooLarge,
    Forbidden,
    ItemLimit,
    MalformedBody,
    PushRejected,
    ReservedJob,
    ReservedName,
)
from pushgateway_bridge.model.additions import Distinct, Increment, Observation
from pushgateway_bridge.model.family import Family, SeriesClass
from pushgateway_bridge.model.labels import LabelSet, PushGroup, make_label_set, make_push_group
from pushgateway_bridge.model.report import GroupReport, Rejection, Replaces, Report
from pushgateway_bridge.model.timestamps import parse_iso8601_ms

API_VERSION: Final = 1
"""Of this module, as it is now."""
TAKEN_VERSIONS: Final = frozenset({1})
"""Those for which a plugin may be made."""

__all__ = [
    "API_VERSION",
    "TAKEN_VERSIONS",
    "BodyTooLarge",
    "Dialect",
    "Distinct",
    "Family",
    "Forbidden",
    "GroupReport",
    "Increment",
    "ItemLimit",
    "LabelSet",
    "MalformedBody",
    "Observation",
    "PushContext",
    "PushGroup",
    "PushLimits",
    "PushRejected",
    "Pusher",
    "Rejection",
    "Replaces",
    "Reply",
    "Report",
    "ReservedJob",
    "ReservedName",
    "SeriesClass",
    "TokenNeed",
    "make_label_set",
    "make_push_group",
    "mask_addresses",
    "mask_paths",
    "mask_text",
    "parse_iso8601_ms",
    "read_json",
]
