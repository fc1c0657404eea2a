from __future__ import annotations

from typing import Any

import pytest
import uvicorn

from host_exporter.app import TicklessServer

SETTINGS: dict[str, Any] = {"app": None, "date_header": False, "log_config": None}


@pytest.mark.parametrize(
    "setting",
    [{"limit_max_requests": 5}, {"callback_notify": lambda: None}, {"date_header": True}],
    ids=lambda setting: next(iter(setting)),
)
def test_a_setting_that_only_the_tick_could_serve_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="need the tick"):
        TicklessServer(uvicorn.Config(**{**SETTINGS, **setting}))


def test_the_installed_server_still_has_what_is_overridden() -> None:
    """If a newer one renames these, the exporter would tick again and nothing else would tell."""
    for name in ("main_loop", "on_tick", "capture_signals"):
        assert name in vars(uvicorn.Server)
    server = TicklessServer(uvicorn.Config(**SETTINGS))
    assert (server.should_exit, server.force_exit) == (False, False)
