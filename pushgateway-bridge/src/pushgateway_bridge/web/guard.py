"""The door: who sent a request, and whether that lets it read, push, delete or administer.

A token comes as ``Authorization: Bearer``, or where its dialect's clients put it; a user of web.config_file as
``Authorization: Basic``; the dashboard page has a cookie. Whoever comes through the socket in the access folder
owns that folder and may do everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import quote

from fastapi import HTTPException, Request

from pushgateway_bridge.access.rules import AccessRules
from pushgateway_bridge.access.sessions import COOKIE, Sessions
from pushgateway_bridge.access.token import KnownToken, Right
from pushgateway_bridge.access.tokens import NoSuchToken, Tokens
from pushgateway_bridge.dialects.dialect import Dialect, Pusher, TokenNeed
from pushgateway_bridge.errors import (
    Forbidden,
    JournalFailed,
    MissingToken,
    NotReady,
    PushRejected,
    WrongToken,
)
from pushgateway_bridge.web.door import Door
from telemetry_web_config.access import WebAccess
from telemetry_web_config.users import TooManyChecksError, Users

logger = logging.getLogger(__name__)

USERS_RIGHTS: Final = frozenset({Right.READ, Right.PUSH})
"""What the users of web.config_file may do. Whoever deletes or administers has a token, which can be revoked."""
USER: Final = Pusher(0, "user")

REFUSALS: Final[Mapping[int | str, dict[str, Any]]] = {
    401: {"description": "No token or user, or a wrong one."},
    403: {"description": "The token is good, but not for this."},
    503: {"description": "Too many passwords are being checked, or the bridge is starting or stopping."},
}
"""What every guarded route may answer, for the OpenAPI document."""


class Guard:
    """Checks requests. ``rules`` is replaced as a whole by a reload; *web_access* is web.config_file's."""

    def __init__(
        self, tokens: Tokens, sessions: Sessions, rules: AccessRules, web_access: WebAccess | None = None
    ) -> None:
        self.tokens = tokens
        self.sessions = sessions
        self.rules = rules
        self._web_access = web_access

    @property
    def users(self) -> Users | None:
        """Those of web.config_file; ``None`` if it names none."""
        access = self._web_access
        return access.users if access is not None and access.users.required else None

    async def _check_user(self, users: Users, authorization: str) -> None:
        """Raises WrongToken, or NotReady if too many passwords are being checked."""
        try:
            if await users.check(authorization) is None:
                raise WrongToken("unknown user or wrong password")
        except TooManyChecksError as error:
            raise NotReady("too many passwords are being checked; try again later") from error

    # Pushes

    def needs_token(self, dialect: Dialect) -> bool:
        """Whether a push of *dialect* must come with a token or from a user."""
        if dialect.token_need is TokenNeed.OPEN:
            return self.rules.open_protocols_need_token
        return dialect.token_need is TokenNeed.ALWAYS or self.rules.beyond_loopback

    async def pusher(self, request: Request, dialect: Dialect, right: Right = Right.PUSH) -> Pusher | None:
        """Who pushes; ``None`` if nobody need say. Raises MissingToken, WrongToken or Forbidden."""
        needed = self.needs_token(dialect)
        secret = None
        if dialect.token_header != "authorization":  # noqa: S105 - the name of a header
            secret = request.headers.get(dialect.token_header) or None
        authorization = request.headers.get("authorization", "")
        scheme, _, credentials = authorization.partition(" ")
        if secret is None and scheme.lower() == "bearer":
            secret = credentials.strip()
        if secret is not None:
            return (await self.known(secret, right)).pusher
        if dialect.token_need is TokenNeed.ALWAYS:
            raise MissingToken("this path needs a token")
        users = self.users
        if scheme.lower() == "basic" and users is not None:
            await self._check_user(users, authorization)
            return USER
        if needed and door_of(request) is not Door.OWNER:
            raise MissingToken("this path needs a token: Authorization: Bearer TOKEN")
        return None

    async def known(self, secret: str, right: Right) -> KnownToken:
        """The token that *secret* is, its use noted. Raises WrongToken, Forbidden or JournalFailed."""
        known = self.tokens.find(secret)
        self.tokens.use(known, right)
        if known.token.waits_for_activation:
            try:
                await asyncio.to_thread(self.tokens.activate, known.token.id, known.token.sha256)
            except OSError as error:
                logger.error("token not activated token=%d error=%r", known.token.id, error.strerror)
                raise JournalFailed("the token's first use could not be written down") from error
            except NoSuchToken as error:
                raise WrongToken("unknown token") from error
        return known

    # Everything else: dependencies of routes

    async def reader(self, request: Request) -> None:
        """Lets through who may read."""
        if not self._reads_are_guarded(request):
            return
        cookie = request.cookies.get(COOKIE)
        if cookie is not None and self.sessions.reader(cookie) is not None:
            return
        await self._require(request, Right.READ)

    async def page_reader(self, request: Request) -> None:
        """The same for a page: a browser that has not logged in is sent to where it can."""
        try:
            await self.reader(request)
        except HTTPException as denied:
            if denied.status_code == 401 and self.users is None:
                query = request.url.query
                wanted = f"{request.url.path}?{query}" if query else request.url.path
                raise HTTPException(303, "log in first", {"Location": login_location(wanted)}) from denied
            raise

    def _reads_are_guarded(self, request: Request) -> bool:
        if door_of(request) is not Door.PUBLIC:
            return False
        return self.rules.reads_need_token or self.users is not None

    async def admin(self, request: Request) -> None:
        """Lets through who may administer."""
        await self._require(request, Right.ADMIN)

    async def deleter(self, request: Request) -> None:
        """Lets through who may delete."""
        await self._require(request, Right.DELETE)

    async def reporter(self, request: Request) -> None:
        """Let through who may tell of alerts: who may push for any source. Raises PushRejected."""
        check_unbound(await self._identified(request, Right.PUSH))

    async def _require(self, request: Request, right: Right) -> None:
        """Let through who has *right*; ``visitor_of`` then says who it is."""
        try:
            request.state.visitor = await self._identified(request, right)
        except PushRejected as refusal:
            raise self.denied(refusal) from refusal

    async def _identified(self, request: Request, right: Right) -> Pusher:
        """Who asks and has *right*. Raises PushRejected."""
        if door_of(request) is Door.OWNER:
            return Pusher(0, "owner")
        authorization = request.headers.get("authorization", "")
        scheme, _, credentials = authorization.partition(" ")
        users = self.users
        if scheme.lower() == "basic" and users is not None:
            await self._check_user(users, authorization)
            if right not in USERS_RIGHTS:
                raise Forbidden(f"users of web.config_file may not {right}: use a token")
            return USER
        if scheme.lower() != "bearer":
            raise MissingToken(f"this needs a token with the right {right}: Authorization: Bearer TOKEN")
        return (await self.known(credentials.strip(), right)).pusher

    def denied(self, refusal: PushRejected) -> HTTPException:
        """*refusal* as the framework's error."""
        headers = self.challenge(refusal)
        if refusal.retry_after_seconds:
            headers["Retry-After"] = str(refusal.retry_after_seconds)
        return HTTPException(refusal.status, str(refusal), headers)

    def challenge(self, refusal: PushRejected) -> dict[str, str]:
        """The header that a 401 has."""
        if refusal.status != 401:
            return {}
        # A browser asks for a user's name and password only if users can log in.
        scheme = "Basic" if self.users is not None else "Bearer"
        return {"WWW-Authenticate": f'{scheme} realm="push bridge"'}


def login_location(following: str) -> str:
    """Where a browser logs in that wants to see *following*."""
    return f"/login?next={quote(following, safe='/')}"


def visitor_of(request: Request) -> Pusher:
    """Who was let through by a guarded route."""
    visitor = request.state.visitor
    assert isinstance(visitor, Pusher)
    return visitor


def check_unbound(visitor: Pusher) -> None:
    """Raises Forbidden if the token of *visitor* is for one source, where alerts are told or forgotten."""
    if visitor.job or visitor.instance:
        raise Forbidden(f"token {visitor.token_id} is bound to a source, and alerts are about any")


def check_binding(visitor: Pusher, job: str | None, instances: Collection[str] | None) -> None:
    """Raises Forbidden if the token of *visitor* is bound to other sources than these (``None``: any of *job*)."""
    if visitor.job not in ("", job) or (
        visitor.instance and (instances is None or set(instances) != {visitor.instance})
    ):
        bound = f"job {visitor.job or 'any'!r}, instance {visitor.instance or 'any'!r}"
        raise Forbidden(f"token {visitor.token_id} is for {bound}, and may delete nothing else")


def door_of(request: Request) -> Door:
    """Through which listener *request* came."""
    door = request.scope.get("state", {}).get("door", Door.PUBLIC)
    assert isinstance(door, Door)
    return door
