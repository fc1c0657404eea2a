"""POST /-/reload: read the configuration and the tokens again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.web.guard import Guard
from pushgateway_bridge.web.openapi import BEARER, DENIED, problem


class Reloaded(BaseModel):
    """What a reload did."""

    changed: list[str]
    """Settings that have other values now."""
    needs_restart: list[str]
    """Settings that differ in the file, and take effect at the next start only."""


def reload_router(guard: Guard, reload: Callable[[], Awaitable[Reloaded]]) -> APIRouter:
    """*reload* raises StartFailed, and then nothing changed."""
    router = APIRouter(tags=["operation"])
    responses = {**DENIED, 400: problem("The configuration is wrong; what ran before goes on.")}

    @router.post("/-/reload", responses=responses, dependencies=[Depends(guard.admin), Depends(BEARER)])
    async def reload_configuration() -> Reloaded:
        """Read the configuration and the tokens again. A wrong file changes nothing, and the answer says why."""
        try:
            return await reload()
        except StartFailed as error:
            raise HTTPException(400, str(error)) from error

    return router
