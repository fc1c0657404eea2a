"""Pushes with an idempotency key: the first is stored and its reply kept, a repeat gets that reply.

A key counts within the dialect and the token, or without one the source, that pushes. Of keys and bodies only keyed
hashes are kept.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.errors import BadIdempotencyKey, IdempotencyKeyReused
from pushgateway_bridge.journal.receipts import Receipt
from pushgateway_bridge.model.report import Report
from pushgateway_bridge.pipeline import Ingest
from pushgateway_bridge.selfmetrics import DialectCounts

MAX_KEY_CHARACTERS: Final = 255
HASH_BYTES: Final = 16

FindReceipt = Callable[[bytes], Receipt | None]


class _UnderWay(NamedTuple):
    """A push whose outcome is not known yet, and those who wait for it."""

    body_hash: bytes
    outcome: asyncio.Future[Reply]


class Once:
    """Stores each push with a key once. *find_receipt* may block; *secret* makes the hashes ours alone."""

    def __init__(self, ingest: Ingest, find_receipt: FindReceipt, secret: Callable[[], bytes]) -> None:
        self._ingest = ingest
        self._find_receipt = find_receipt
        self._secret = secret
        self._under_way: dict[bytes, _UnderWay] = {}

    async def push(
        self, dialect: Dialect, body: bytes, context: PushContext, key: str, counts: DialectCounts
    ) -> Reply:
        """The reply to the push, of now or of the first time. Raises PushRejected.

        IdempotencyKeyReused if the same key came with another body; a refused push does not use its key up.
        """
        if not 0 < len(key) <= MAX_KEY_CHARACTERS:
            raise BadIdempotencyKey(
                f"an Idempotency-Key has 1 to {MAX_KEY_CHARACTERS} characters, got {len(key)}"
            )
        report = self._ingest.decode(dialect, body, context)
        fingerprint = self._hash(dialect.name, repr(_scope(report, context)), key)
        body_hash = self._hash(body.hex())
        under_way = self._under_way.get(fingerprint)
        if under_way is not None:
            _same_body(under_way.body_hash, body_hash)
            # Shielded: one who hangs up must not end the wait of the others.
            reply = await asyncio.shield(under_way.outcome)
            counts.deduplicated += report.accepted
            return _repeated(dialect, report, reply)
        outcome: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._under_way[fingerprint] = _UnderWay(body_hash, outcome)
        try:
            reply = await self._first(dialect, report, context, fingerprint, body_hash, counts)
        except BaseException as error:
            outcome.set_exception(error)
            outcome.exception()  # nobody may be waiting, and that is no mistake
            raise
        else:
            outcome.set_result(reply)
            return reply
        finally:
            del self._under_way[fingerprint]

    async def _first(
        self,
        dialect: Dialect,
        report: Report,
        context: PushContext,
        fingerprint: bytes,
        body_hash: bytes,
        counts: DialectCounts,
    ) -> Reply:
        known = await asyncio.to_thread(self._find_receipt, fingerprint)
        if known is not None:
            _same_body(known.body_hash, body_hash)
            counts.deduplicated += report.accepted
            return _repeated(dialect, report, Reply(known.status, known.body, known.content_type))

        def receipt_of(reply: Reply) -> Receipt:
            return Receipt(fingerprint, body_hash, reply.status, reply.content_type, reply.body)

        return await self._ingest.store(dialect, report, context.received_ms, receipt_of)

    def _hash(self, *parts: str) -> bytes:
        """A keyed hash of *parts*, each told apart from the next by its length."""
        digest = hashlib.blake2b(key=self._secret(), digest_size=HASH_BYTES)
        for part in parts:
            data = part.encode()
            digest.update(len(data).to_bytes(8, "big") + data)
        return digest.digest()


def _scope(report: Report, context: PushContext) -> object:
    """Within what a key counts: the token, else the job and instance, of the first group if there are several."""
    if context.pusher is not None and context.pusher.token_id:
        return context.pusher.token_id
    return report.groups[0].group[:2] if report.groups else ()


def _repeated(dialect: Dialect, report: Report, first: Reply) -> Reply:
    """What a repeat is answered: the same as the *first*, in the words of the path that it came to."""
    return first if dialect.reply is not None else report.answer or dialect.accepted


def _same_body(known: bytes, pushed: bytes) -> None:
    if known != pushed:
        raise IdempotencyKeyReused(
            "this Idempotency-Key was used with another body; use a new key for a new push"
        )
