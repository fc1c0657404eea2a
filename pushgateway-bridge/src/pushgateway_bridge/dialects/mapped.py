"""What the mapped dialect is apart from its mappings: paths, limits, replies, reasons. See mappings/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply, TokenNeed
from pushgateway_bridge.dialects.samples import MEDIA_TYPE, refuse, reply
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.report import Report

PATH: Final = "/api/v1/push/"
"""Behind it stands the mapping's name."""

ITEM_REASONS: Final = (
    "malformed_item",
    "no_match",
    "wrong_type",
    "not_finite",
    "unknown_value",
    "negative",
    "bad_label",
    "label_limit",
    "label_cap",
    "bad_time",
    "timestamp_out_of_range",
    "duplicate",
)
"""Why decoding, or a cap, refuses an item."""


class UnknownMapping(PushRejected):
    """There is no mapping of that name."""

    status = 404
    reason = "unknown_mapping"


def make_dialect(decode: Callable[[bytes, PushContext], Report]) -> Dialect:
    """The dialect that decodes with *decode*."""
    return Dialect(
        name="mapped",
        paths=(PATH,),
        paths_go_on=True,
        max_body_bytes=4 * 1024**2,
        max_inflated_bytes=32 * 1024**2,
        series_class=SeriesClass.POINT,
        default_interval_seconds=60.0,
        decode=decode,
        accepted=Reply(200, b'{"accepted":0,"rejected":[]}', MEDIA_TYPE),
        refuse=refuse,
        reply=reply,
        item_reasons=ITEM_REASONS,
        token_need=TokenNeed.BEYOND_LOOPBACK,
        own_rejections=(UnknownMapping,),
    )


def _no_mappings(_body: bytes, _context: PushContext) -> Report:
    raise UnknownMapping("there are no mappings")


DIALECT: Final = make_dialect(_no_mappings)
"""As it is without mappings: a bridge takes one that has its own."""
