"""The API for tokens: what ``pushgateway-bridge token`` asks of a running bridge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect

from pushgateway_bridge.access.token import MAX_NAME_CHARACTERS, Right, Token
from pushgateway_bridge.access.tokens import NoSuchToken, TokenRevoked
from pushgateway_bridge.errors import ClientGone, PushRejected
from pushgateway_bridge.web.body import read_body
from pushgateway_bridge.web.guard import Guard, visitor_of
from pushgateway_bridge.web.openapi import BEARER, DENIED, Responses, problem

MAX_ID = 2**53
MAX_BODY_BYTES = 16_384
TOKEN_STATES = ("active", "pending", "expired", "revoked")
TokenId = Annotated[int, Path(ge=1, le=MAX_ID)]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


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


def tokens_router(guard: Guard, clock_ms: Callable[[], int]) -> APIRouter:
    """``/api/v1/tokens``; all of it needs the right admin."""
    unwritten = problem("The file of tokens could not be written; nothing changed.")
    one_token: Responses = {404: problem("No token has that number."), 503: unwritten}
    rotated: Responses = {**one_token, 409: problem("The token was revoked, for good.")}
    router = APIRouter(
        prefix="/api/v1/tokens",
        tags=["tokens"],
        responses=DENIED,
        dependencies=[Depends(guard.admin), Depends(BEARER)],
    )
    tokens = guard.tokens

    @router.get("")
    async def list_tokens() -> list[ShownToken]:
        """All tokens, revoked ones included, without their texts."""
        return [ShownToken(**shown(token, clock_ms())) for token in tokens.list()]

    creation: Responses = {
        400: problem("The body is cut off or does not inflate."),
        413: problem(f"The body is larger than {MAX_BODY_BYTES} bytes."),
        415: problem("The body has a content coding that nothing here inflates."),
        422: problem("The body is no such document; the answer says where."),
        503: unwritten,
    }

    # The framework would read a body of any length before it asks who sent it, and repeat it in its errors.
    @router.post("", status_code=201, responses=creation, openapi_extra={"requestBody": NEW_TOKEN_BODY})
    async def create_token(request: Request) -> MadeToken:
        """A new token. Its text is in this answer and nowhere else."""
        new = await read_new_token(request)
        token, secret = await changed(
            tokens.create,
            new.name,
            new.rights,
            job=new.job,
            instance=new.instance,
            owner=visitor_of(request).token_id,
            lifetime_seconds=new.lifetime_seconds,
            enrol=new.enrol,
        )
        return MadeToken(**shown(token, clock_ms()), token=secret)

    @router.post("/{token_id}/rotate", responses=rotated)
    async def rotate_token(token_id: TokenId) -> MadeToken:
        """The same token with a new text; the old one is void at once."""
        token, secret = await changed(tokens.rotate, token_id)
        return MadeToken(**shown(token, clock_ms()), token=secret)

    @router.delete("/{token_id}", responses=one_token)
    async def revoke_token(token_id: TokenId) -> ShownToken:
        """Make a token void. It stays in the list."""
        return ShownToken(**shown(await changed(tokens.revoke, token_id), clock_ms()))

    return router


NEW_TOKEN_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                key: value
                for key, value in NewToken.model_json_schema(
                    ref_template="#/components/schemas/{model}"
                ).items()
                if key != "$defs"  # Right stands among the components, since answers have it
            }
        }
    },
}


async def read_new_token(request: Request) -> NewToken:
    """What the body of *request* asks for. Raises HTTPException."""
    try:
        body = await read_body(request, request.headers.get("content-encoding", ""), MAX_BODY_BYTES)
        return NewToken.model_validate_json(body)
    except ClientDisconnect as error:
        raise HTTPException(ClientGone.status, "the client closed the connection") from error
    except PushRejected as refusal:
        raise HTTPException(refusal.status, str(refusal)) from refusal
    except ValidationError as error:
        raise HTTPException(422, flaws(error)) from error


def flaws(error: ValidationError) -> str:
    """What is wrong and where, in one line, without what was sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found)


async def changed(
    change: Callable[Parameters, Result], *arguments: Parameters.args, **named: Parameters.kwargs
) -> Result:
    """What *change* gives, made in a thread; its errors as the framework's."""
    try:
        return await asyncio.to_thread(change, *arguments, **named)
    except NoSuchToken as error:
        raise HTTPException(404, str(error)) from error
    except TokenRevoked as error:
        raise HTTPException(409, str(error)) from error
    except OSError as error:
        raise HTTPException(503, f"the file of tokens could not be written: {error.strerror}") from error


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
