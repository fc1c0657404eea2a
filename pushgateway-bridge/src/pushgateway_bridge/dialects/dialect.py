"""What a dialect is: paths, limits, who may push, how to decode, and the replies its clients know."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.labels import PushGroup
from pushgateway_bridge.model.reply import Reply as Reply  # noqa: PLC0414 - dialects need nothing but this module
from pushgateway_bridge.model.report import Rejection, Report


class Pusher(msgspec.Struct, frozen=True, gc=False):
    """Who pushes, as the token says that came with the push."""

    token_id: int
    name: str
    """What a person called the token."""
    owner: int = 0
    """The token that made this one; 0 if a person did, at the command line."""
    job: str = ""
    instance: str = ""
    """The source that this token is bound to; empty if it may push for any."""


class PushLimits(msgspec.Struct, frozen=True, gc=False):
    """How large a push may be in other ways than its bytes; a decoder refuses what is larger."""

    max_items: int = 10_000
    max_nesting: int = 32


DEFAULT_LIMITS: Final = PushLimits()


class PushContext(msgspec.Struct, frozen=True, gc=False):
    """What a dialect may know of a request besides its body."""

    received_ms: int
    content_type: str = ""
    """The media type, lower-cased, without parameters; empty if the client sent none."""
    pusher: Pusher | None = None
    """``None`` if no token came with the push, and none was needed."""
    path: str = ""
    """The path as sent, still percent-encoded, where the dialect's paths have more than a fixed text."""
    method: str = "POST"
    time_to_live: str = ""
    """The header X-Time-To-Live-Seconds as sent."""
    limits: PushLimits = DEFAULT_LIMITS
    country: str = ""
    """Where the client is (ISO 3166-1 alpha-2), as a trusted proxy or the geo database says; empty if nobody knows,
    or the dialect does not count it."""


class TokenNeed(enum.Enum):
    """Where a push needs a token."""

    OPEN = enum.auto()
    """Its clients cannot send one: never, where access.open_protocols lets them in."""
    BEYOND_LOOPBACK = enum.auto()
    """Where other machines can reach the bridge."""
    ALWAYS = enum.auto()


class Dialect(msgspec.Struct, frozen=True):
    """One family of clients. ``decode``, ``reply`` and ``refuse`` are pure."""

    name: str
    paths: tuple[str, ...]
    """Where its clients POST, at the root and below the dialect's prefix."""
    max_body_bytes: int
    series_class: SeriesClass
    default_interval_seconds: float | None
    """Taken for a source's report interval until it has been learned; ``None`` if its clients report events."""
    decode: Callable[[bytes, PushContext], Report]
    """Raises a PushRejected for a body that cannot be read."""
    accepted: Reply
    """The answer to a push of which nothing else is to be said."""
    refuse: Callable[[PushRejected], Reply]
    """How this dialect's clients are told of a refusal."""
    accepted_at: Mapping[str, Reply] = {}
    """Path → what ``Report.answer`` is of a push that was accepted there, where that is not *accepted*."""
    reply: Callable[[Report, Sequence[Rejection]], Reply] | None = None
    """The answer where it says what became of each item: of the report that was stored, and of what was refused,
    by decoding or by the state. ``None``: always *accepted*."""
    item_reasons: tuple[str, ...] = ()
    """Why decoding may refuse one item, where *reply* says what became of each."""
    max_inflated_bytes: int = 0
    """How long a compressed body may be when it is inflated; 0: as long as any."""
    methods: tuple[str, ...] = ("POST",)
    paths_go_on: bool = False
    """Whether the paths are only how those of its pushes begin; ``PushContext.path`` then has the whole."""
    needs_path: bool = False
    """Whether decoding looks at ``PushContext.path`` though the paths are fixed texts."""
    counts_countries: bool = False
    """Whether decoding looks at ``PushContext.country``."""
    tells_rate: bool = False
    """Whether each answer says how many pushes the client has left, in x-ratelimit headers."""
    default_rate: str = ""
    """How often a client may push unless limits.rates says otherwise; empty: as often as it likes."""
    own_rejections: tuple[type[PushRejected], ...] = ()
    """Refusals that no other dialect has."""
    own_key: Callable[[bytes, PushContext], str | None] | None = None
    """The idempotency key that a body itself has, if any. Raises PushRejected."""
    repairs: bool = False
    """Whether it reads broken JSON, and blanks out private text: both are counted."""
    failed: (
        Callable[[PushRejected, bytes, PushContext, Callable[[PushGroup], bool]], Report | None] | None
    ) = None
    """What is stored of a push that was refused; the function says whether a push group is held. ``None``: nothing."""
    token_need: TokenNeed = TokenNeed.OPEN
    token_header: str = "authorization"  # noqa: S105 - the name of a header
    """Where the token stands: as ``Bearer …`` in Authorization, or alone in another header (lower-cased)."""
    example: tuple[str, str] | None = None
    """Media type and text of a push that is accepted, for the API's document and the page to try it on."""
