"""The programs of others that tests start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stack import tools


def find(name: str) -> Path:
    """The program, or the test is skipped; CI must have it."""
    program = tools.find(name)
    if program is None:
        reason = f"{name} is missing: run 'python -m stack tools {name}'"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return program
