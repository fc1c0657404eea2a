"""The API for tokens: what ``pushgateway-bridge token`` asks of a running bridge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from pushgateway_bridge.access.documents import MadeToken, NewToken, ShownToken, flaws, shown
from pushgateway_bridge.access.tokens import NoSuchToken, TokenRevoked
from pushgateway_bridge.errors import ClientGone, PushRejected
from pushgateway_bridge.web.body import read_body
from pushgateway_bridge.web.guard import Guard, visitor_of
from pushgateway_bridge.web.openapi import BEARER, DENIED, Responses, problem

MAX_ID = 2**53
MAX_BODY_BYTES = 16_384
TokenId = Annotated[int, Path(ge=1, le=MAX_ID)]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


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
