"""Everything that can refuse a push, and what can keep the bridge from starting."""

from __future__ import annotations

from typing import ClassVar


class PushRejected(Exception):
    """Base of every refusal; never raised itself. ``str(error)`` is what the pusher is told."""

    status: ClassVar[int] = 400
    reason: ClassVar[str]
    """The ``reason`` label of ``telemetry_pushes_rejected_total``: few, fixed, snake_case."""
    retry_after_seconds: int = 0
    """When the pusher may try again; 0 if that would not help."""


class MalformedBody(PushRejected):
    """The body is not what the dialect can read."""

    reason = "malformed_body"


class BodyTooLarge(PushRejected):
    """The body, or what it inflates to, is over the dialect's limit."""

    status = 413
    reason = "body_too_large"


class UnsupportedEncoding(PushRejected):
    """The body is compressed in a way that nothing here inflates."""

    status = 415
    reason = "unsupported_encoding"


class TypeConflict(PushRejected):
    """A family is held with another type or other buckets."""

    reason = "type_conflict"


class NameConflict(PushRejected):
    """A family would have lines of the same name as another one has."""

    reason = "name_conflict"


class ClassConflict(PushRejected):
    """A series is held for another time, or carried to Prometheus in another way: that is fixed while it is held."""

    reason = "class_conflict"


class OwnerConflict(PushRejected):
    """The push group belongs to another dialect: a series has one writer."""

    reason = "owner_conflict"


class ReservedJob(PushRejected):
    """The job is one that is scraped."""

    reason = "reserved_job"


class ReservedName(PushRejected):
    """The metric's name is kept for metrics about the stack itself."""

    reason = "reserved_name"


class BadIdempotencyKey(PushRejected):
    """The Idempotency-Key header is empty or too long."""

    reason = "bad_idempotency_key"


class IdempotencyKeyReused(PushRejected):
    """The key came before, with another body."""

    status = 422
    reason = "idempotency_key_reused"


class MissingToken(PushRejected):
    """The push needs a token, and none came with it."""

    status = 401
    reason = "missing_token"


class WrongToken(PushRejected):
    """The token is none of ours, or is not good any more."""

    status = 401
    reason = "wrong_token"


class Forbidden(PushRejected):
    """The token is good, but not for this."""

    status = 403
    reason = "forbidden"


class RateLimited(PushRejected):
    """Whoever pushes does so more often than is allowed."""

    status = 429
    reason = "rate_limited"

    def __init__(self, text: str, retry_after_seconds: int = 60) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds


class TooManySeries(PushRejected):
    """The push would bring more new series than there is room for, or than its source may within a minute."""

    status = 429
    retry_after_seconds = 60
    reason = "too_many_series"


class ItemLimit(PushRejected):
    """The push has more items, or more new series, than one may have."""

    status = 422
    reason = "item_limit"


class LabelLimit(PushRejected):
    """A series has more labels, or a longer one, than a series may have."""

    status = 422
    reason = "label_limit"


class WrongMethod(PushRejected):
    """The path takes pushes, but not by this method."""

    status = 405
    reason = "wrong_method"


class ClientGone(PushRejected):
    """The client closed the connection before its body was whole. Nobody reads the answer."""

    reason = "client_gone"


class NotReady(PushRejected):
    """The bridge is starting or stopping. The pusher may send the push again."""

    status = 503
    retry_after_seconds = 1
    reason = "not_ready"


class JournalFull(PushRejected):
    """The disk has no room for the push. Nothing was applied: the pusher may send it again."""

    status = 503
    retry_after_seconds = 1
    reason = "journal_full"


class JournalFailed(PushRejected):
    """The journal could not be written, and nothing is known of the disk any more. Nothing was applied."""

    status = 503
    retry_after_seconds = 1
    reason = "journal_failed"


REJECTIONS: tuple[type[PushRejected], ...] = (
    MalformedBody,
    BodyTooLarge,
    UnsupportedEncoding,
    TypeConflict,
    NameConflict,
    ClassConflict,
    OwnerConflict,
    ReservedJob,
    ReservedName,
    BadIdempotencyKey,
    IdempotencyKeyReused,
    MissingToken,
    WrongToken,
    Forbidden,
    RateLimited,
    TooManySeries,
    ItemLimit,
    LabelLimit,
    WrongMethod,
    ClientGone,
    NotReady,
    JournalFull,
    JournalFailed,
)
"""All kinds, so that their counters exist from the start."""


ITEM_REJECTIONS: tuple[type[PushRejected], ...] = (
    TypeConflict,
    NameConflict,
    ClassConflict,
    OwnerConflict,
    ReservedJob,
    ReservedName,
    TooManySeries,
    ItemLimit,
    LabelLimit,
)
"""Those by which the state may refuse one item of a push."""


class StartFailed(Exception):
    """A part cannot start. ``str(error)`` is one line that names the setting."""
