"""What a token is: random, kept only as its hash, with rights, and bound to a source if it says so."""

from __future__ import annotations

import enum
import hashlib
import secrets
from typing import Annotated, Final

import msgspec

from pushgateway_bridge.dialects.dialect import Pusher

SECRET_BYTES: Final = 32
MAX_SECRET_CHARACTERS: Final = 256
"""Longer ones are no token of ours, and are not hashed."""
ACTIVATION_SECONDS: Final = 300
"""How long an enrolment token waits for its first use."""
MAX_NAME_CHARACTERS: Final = 100

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Right(enum.StrEnum):
    """What a token lets one do."""

    PUSH = "push"
    DELETE = "delete"
    READ = "read"
    ADMIN = "admin"
    """Everything else: tokens, reload, and what the other three let one do."""


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One token as its file has it. Times are Unix milliseconds, 0 if there is none."""

    id: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    name: Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARACTERS)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    """Of the token's text: who reads the file cannot push."""
    rights: tuple[Right, ...]
    job: str = ""
    instance: str = ""
    """The source it may push for; empty: any."""
    owner: int = 0
    """The token by which it was made; 0: the command line."""
    created_ms: Milliseconds
    expires_ms: Milliseconds = 0
    activate_before_ms: Milliseconds = 0
    """An enrolment token is void unless it is used before this."""
    activated_ms: Milliseconds = 0
    revoked_ms: Milliseconds = 0
    last_used_ms: Milliseconds = 0

    def flaw(self, now_ms: int) -> str | None:
        """Why it is not good at *now_ms*; ``None`` if it is."""
        if self.revoked_ms:
            return "was revoked"
        if self.expires_ms and now_ms >= self.expires_ms:
            return "has expired"
        if self.waits_for_activation and now_ms >= self.activate_before_ms:
            return f"was not used within {ACTIVATION_SECONDS // 60} minutes of its making: make a new one"
        return None

    @property
    def waits_for_activation(self) -> bool:
        """Whether its first use is still to come, and binds it."""
        return bool(self.activate_before_ms) and not self.activated_ms

    def may(self, right: Right) -> bool:
        return right in self.rights or Right.ADMIN in self.rights


class KnownToken:
    """A token in memory. Replaced as a whole when it changes, so that whoever holds on to it can tell."""

    __slots__ = ("last_used_ms", "pusher", "token", "withdrawn")

    def __init__(self, token: Token) -> None:
        self.token = token
        self.pusher = Pusher(token.id, token.name, token.owner, token.job, token.instance)
        self.last_used_ms = token.last_used_ms
        self.withdrawn = False
        """Whether it was replaced or forgotten."""

    def may_push(self, now_ms: int) -> bool:
        """Whether it is good for a push just now, with nothing else to be done."""
        token = self.token
        return (
            not self.withdrawn
            and not token.waits_for_activation
            and token.flaw(now_ms) is None
            and token.may(Right.PUSH)
        )


def new_secret() -> str:
    """64 hexadecimal digits: as long as any agent's token that there was before."""
    return secrets.token_hex(SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """What is kept of *secret*. A plain hash does: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
