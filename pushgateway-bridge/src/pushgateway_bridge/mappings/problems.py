"""What is wrong with a mapping, said so that it can be put right: file, line, key, and what is meant perhaps."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

import msgspec

from pushgateway_bridge.errors import StartFailed

MAX_KNOWN_LISTED: Final = 12


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong, at *line* (from 1; 0 is the whole file) and *key* of *file*."""

    file: str
    line: int
    key: str
    message: str
    warning: bool = False
    """Whether the mapping works all the same."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        kind = "warning: " if self.warning else ""
        return f"{place}: {kind}{self.key}: {self.message}" if self.key else f"{place}: {kind}{self.message}"


class Problems:
    """Collects what is wrong, so that all of it can be told at once."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, file: str, line: int, key: str, message: str, *, warning: bool = False) -> None:
        """Note one."""
        self._found.append(Problem(file, line, key, message, warning))

    @property
    def errors(self) -> list[Problem]:
        """What keeps the mappings from being used, by file and line."""
        return _sorted(one for one in self._found if not one.warning)

    @property
    def warnings(self) -> list[Problem]:
        """What should be looked at."""
        return _sorted(one for one in self._found if one.warning)


class MappingsInvalid(StartFailed):
    """Mappings that cannot be used. ``str(error)`` has the first problem, *problems* has all, with warnings."""

    def __init__(self, problems: Problems) -> None:
        self.problems = [*problems.errors, *problems.warnings]
        number = len(problems.errors)
        others = f" (and {number - 1} more)" if number > 1 else ""
        super().__init__(f"{problems.errors[0]}{others}")


def _sorted(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda one: (one.file, one.line))


def nearest(word: str, known: Iterable[str]) -> str:
    """Which of *known* is meant perhaps: ``did you mean 'type'?``, or else what there is."""
    names = list(known)
    lowered = {name.lower(): name for name in names}
    found = difflib.get_close_matches(word.lower(), lowered, 1, 0.5)
    if found:
        return f"did you mean {lowered[found[0]]!r}?"
    if not names:
        return "there are none"
    listed = ", ".join(names[:MAX_KNOWN_LISTED])
    return f"known are {listed}{', …' if len(names) > MAX_KNOWN_LISTED else ''}"
