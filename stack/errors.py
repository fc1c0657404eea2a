"""What can go wrong for the person at the terminal."""

from __future__ import annotations

from collections.abc import Sequence


class StackError(Exception):
    """One clear line that names what failed, and what the failing program said last."""

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)
