"""A token as the API and the commands write it."""

from __future__ import annotations

import time
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pushgateway_bridge.access.token import MAX_NAME_CHARACTERS, Right, Token

TOKEN_STATES = ("active", "pending", "expired", "revoked")


class NewToken(BaseModel):
    """What to make."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]
    rights: Annotated[list[Right], Field(min_length=1, max_length=len(Right))]
    job: Annotated[str, Field(max_length=1024)] = ""
    instance: Annotated[str, Field(max_length=1024)] = ""
    lifetime_seconds: Annotated[float, Field(ge=0, le=100 * 365 * 86400)] = 0.0
    enrol: bool = False


class ShownToken(BaseModel):
    """A token without its text. Times are Unix seconds; null: not yet, or never."""

    id: int
    name: str
    rights: list[Right]
    job: str
    instance: str
    owner: int
    state: str
    created: float
    expires: float | None
    activate_before: float | None
    last_used: float | None


class MadeToken(ShownToken):
    """A token with its text, which is shown this once."""

    token: str


def shown(token: Token, now_ms: int) -> dict[str, Any]:
    """*token* for people."""
    return {
        "id": token.id,
        "name": token.name,
        "rights": list(token.rights),
        "job": token.job,
        "instance": token.instance,
        "owner": token.owner,
        "state": state_of(token, now_ms),
        "created": token.created_ms / 1000,
        "expires": _seconds(token.expires_ms),
        "activate_before": _seconds(token.activate_before_ms) if token.waits_for_activation else None,
        "last_used": _seconds(token.last_used_ms),
    }


def state_of(token: Token, now_ms: int) -> str:
    """``active``, ``pending`` its first use, ``revoked`` or ``expired``."""
    if token.revoked_ms:
        return "revoked"
    if token.flaw(now_ms) is not None:
        return "expired"
    return "pending" if token.waits_for_activation else "active"


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


def _seconds(time_ms: int) -> float | None:
    return time_ms / 1000 if time_ms else None


def flaws(error: ValidationError) -> str:
    """What is wrong and where, in one line, without what was sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found)
