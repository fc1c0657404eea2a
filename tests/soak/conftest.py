"""The long forms run only when this folder is named on the command line, as `make soak` does: they need hours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bridge.conftest import bridge
from tests.bridge.faults.conftest import small_disk

__all__ = ["bridge", "small_disk"]

HERE = Path(__file__).resolve().parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """True leaves this folder out; None lets pytest decide as usual."""
    named = (
        Path(config.invocation_params.dir, argument.split("::")[0]).resolve() for argument in config.args
    )
    return None if any(path.is_relative_to(HERE) for path in named) else True
