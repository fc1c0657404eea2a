"""Everything that can refuse a push, and what can keep the bridge from starting."""

from __future__ import annotations

from typing import ClassVar


class PushRejected(Exception):
    """Base of every refusal; never raised itself. ``str(error)`` is what the pusher is told."""

    status: ClassVar[int] = 400
    reason: ClassVar[str]
    """The ``reason`` label of ``telemetry_pushes_rejected_total``: few, fixed, snake_case."""


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
    reason = "not_ready"


class JournalFull(PushRejected):
    """The disk has no room for the push. Nothing was applied: the pusher may send it again."""

    status = 503
    reason = "journal_full"


class JournalFailed(PushRejected):
    """The journal could not be written, and nothing is known of the disk any more. Nothing was applied."""

    status = 503
    reason = "journal_failed"


REJECTIONS: tuple[type[PushRejected], ...] = (
    MalformedBody,
    BodyTooLarge,
    UnsupportedEncoding,
    TypeConflict,
    NameConflict,
    OwnerConflict,
    ReservedJob,
    ReservedName,
    BadIdempotencyKey,
    IdempotencyKeyReused,
    WrongMethod,
    ClientGone,
    NotReady,
    JournalFull,
    JournalFailed,
)
"""All kinds, so that their counters exist from the start."""


class StartFailed(Exception):
    """A part cannot start. ``str(error)`` is one line that names the setting."""
