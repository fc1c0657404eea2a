"""StatusMonitor's API for agents, over our tokens: an agent is a token that is bound to its own number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from pushgateway_bridge.access.token import MAX_NAME_CHARACTERS, Right, Token
from pushgateway_bridge.access.tokens import NoSuchToken, TokenRevoked
from pushgateway_bridge.dialects.dialect import Dialect, Pusher
from pushgateway_bridge.errors import ClientGone, PushRejected, WrongToken
from pushgateway_bridge.web.body import read_body
from pushgateway_bridge.web.door import Door
from pushgateway_bridge.web.guard import Guard, door_of, visitor_of
from pushgateway_bridge.web.openapi import Responses, problem

logger = logging.getLogger(__name__)

PREFIXES: Final = ("", "/sm", "/api/auth")
CORS_PATHS: Final = ("/ingest", "/agents", "/health", "/api/auth", "/sm")
"""Of the original's services, with all below them: what pages of configured origins may ask."""
MAX_BODY_BYTES: Final = 4096
CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}


NEW_AGENT_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARACTERS}},
            }
        }
    },
}


class NewAgent(msgspec.Struct):
    """What to make."""

    name: str


def statusmonitor_router(dialect: Dialect, guard: Guard) -> APIRouter:
    """``/agents``: the Bearer is a token with the right admin, and sees the agents that it made."""
    agents = Agents(dialect.name, guard)
    router = APIRouter(
        tags=[dialect.name],
        responses={401: problem("No token, or a wrong one."), 403: problem("The token may not administer.")},
    )
    routes: tuple[tuple[str, str, Callable[..., Awaitable[JSONResponse]]], ...] = (
        ("POST", "", agents.create),
        ("GET", "", agents.list_all),
        ("POST", "/validate-token", agents.validate),
        ("GET", "/{number}", agents.one),
        ("DELETE", "/{number}", agents.delete),
        ("POST", "/{number}/regenerate-token", agents.regenerate),
    )
    unwritten: Responses = {503: problem("The tokens could not be written; nothing changed.")}
    missing: Responses = {404: problem("The token made no such agent."), **unwritten}
    made: Responses = {
        400: problem("The body is cut off or does not inflate."),
        413: problem(f"The body is larger than {MAX_BODY_BYTES} bytes."),
        415: problem("The body has a content coding that nothing here inflates."),
        422: {
            "description": "The body has no name, or one that is too long.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **unwritten,
    }
    nothing_more: Responses = {}
    for prefix in PREFIXES:
        for method, path, answer in routes:
            # Before the path is looked at: who may not ask is not told what is wrong with a number.
            dependencies = [] if answer == agents.validate else [Depends(agents.owner)]
            router.add_api_route(
                f"{prefix}/agents{path}",
                answer,
                methods=[method],
                include_in_schema=not prefix,
                dependencies=dependencies,
                responses=made if answer == agents.create else missing if "{" in path else nothing_more,
                openapi_extra={"requestBody": NEW_AGENT_BODY} if answer == agents.create else None,
            )
    return router


class Agents:
    """What is answered about agents, which are the tokens bound to *job*."""

    def __init__(self, job: str, guard: Guard) -> None:
        self._job = job
        self._guard = guard
        self._tokens = guard.tokens

    async def owner(self, request: Request) -> None:
        """Lets through who may administer; ``visitor_of`` then says who it is."""
        request.state.visitor = await self._owner(request)

    async def _owner(self, request: Request) -> Pusher:
        if door_of(request) is Door.OWNER:
            return Pusher(0, "owner")
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise HTTPException(401, "Not authenticated", CHALLENGE)
        try:
            return (await self._guard.known(credentials.strip(), Right.ADMIN)).pusher
        except WrongToken as error:
            raise HTTPException(401, "Could not validate credentials", CHALLENGE) from error
        except PushRejected as error:
            raise HTTPException(error.status, str(error)) from error

    def _agent(self, request: Request, number: int) -> Token:
        """The agent with this number, if it is one that whoever asks made. Raises HTTPException."""
        who = visitor_of(request)
        try:
            token = self._tokens.get(number)
        except NoSuchToken as error:
            raise HTTPException(404, "Agent not found") from error
        if token.job != self._job or who.token_id not in (0, token.owner):
            raise HTTPException(404, "Agent not found")
        return token

    async def create(self, request: Request) -> JSONResponse:
        """A new agent with its token, which must be used within five minutes."""
        who = visitor_of(request)
        name = await _read_name(request)
        try:
            token, secret = await asyncio.to_thread(
                self._tokens.create,
                name,
                [Right.PUSH],
                job=self._job,
                owner=who.token_id,
                enrol=True,
                instance_is_id=True,
            )
        except OSError as error:
            raise _unwritten(error) from error
        return JSONResponse(full(token, secret))

    async def list_all(self, request: Request) -> JSONResponse:
        """Agents that were not deleted, without their tokens."""
        who = visitor_of(request)
        found = [
            token
            for token in self._tokens.list()
            if token.job == self._job and not token.revoked_ms and who.token_id in (0, token.owner)
        ]
        return JSONResponse([listed(token) for token in found])

    async def one(self, request: Request, number: int) -> JSONResponse:
        """One agent, also a deleted one."""
        token = self._agent(request, number)
        return JSONResponse({**listed(token), "token_expires_at": expiry(token)})

    async def delete(self, request: Request, number: int) -> JSONResponse:
        """Delete an agent: its token is void."""
        token = self._agent(request, number)
        try:
            await asyncio.to_thread(self._tokens.revoke, token.id)
        except OSError as error:
            raise _unwritten(error) from error
        return JSONResponse({"message": "Agent deleted successfully"})

    async def regenerate(self, request: Request, number: int) -> JSONResponse:
        """A new token for an agent; the old one is void."""
        token = self._agent(request, number)
        try:
            token, secret = await asyncio.to_thread(self._tokens.rotate, token.id)
        except (NoSuchToken, TokenRevoked) as error:
            raise HTTPException(404, "Agent not found") from error
        except OSError as error:
            raise _unwritten(error) from error
        return JSONResponse(full(token, secret))

    async def validate(self, token: str) -> JSONResponse:
        """Whether a token is an agent's; its first validation in time activates it."""
        answer: dict[str, Any] = dict.fromkeys(("agent_id", "user_id", "agent_name", "error"))
        try:
            if self._tokens.find(token).token.job != self._job:
                raise WrongToken("unknown token")
            known = (await self._guard.known(token, Right.PUSH)).token
        except PushRejected as error:
            return JSONResponse({"valid": False, **answer, "error": str(error)})
        found = {"agent_id": known.id, "user_id": known.owner, "agent_name": known.name}
        return JSONResponse({"valid": True, **answer, **found})


async def _read_name(request: Request) -> str:
    """Raises HTTPException."""
    try:
        body = await read_body(request, request.headers.get("content-encoding", ""), MAX_BODY_BYTES)
        name = msgspec.json.decode(body, type=NewAgent).name
    except ClientDisconnect as error:
        raise HTTPException(ClientGone.status, "the client closed the connection") from error
    except PushRejected as refusal:
        raise HTTPException(refusal.status, str(refusal)) from refusal
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HTTPException(422, [_flaw("name is missing or no text")]) from error
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise HTTPException(422, [_flaw(f"a name has 1 to {MAX_NAME_CHARACTERS} characters")])
    return name


def _flaw(text: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": ["body", "name"], "msg": text, "input": None}


def _unwritten(error: OSError) -> HTTPException:
    logger.error("tokens not written error=%r", error.strerror)
    return HTTPException(503, "the tokens could not be written", {"Retry-After": "1"})


def listed(token: Token) -> dict[str, Any]:
    """*token* as a list of agents shows it."""
    return {
        "id": token.id,
        "name": token.name,
        "token_activated": bool(token.activated_ms),
        "created_at": naive_time(token.created_ms),
        "last_seen": naive_time(token.last_used_ms) if token.last_used_ms else None,
        "is_active": not token.revoked_ms,
    }


def full(token: Token, secret: str) -> dict[str, Any]:
    """*token* with its text, as its maker sees it once."""
    return {**listed(token), "token": secret, "token_expires_at": expiry(token)}


def expiry(token: Token) -> str | None:
    """Until when it must be used first; the page of the original counts down to it."""
    return naive_time(token.activate_before_ms) if token.activate_before_ms else None


def naive_time(time_ms: int) -> str:
    """UTC without a zone, as the original writes it: its page adds the Z."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds")
