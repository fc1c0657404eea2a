"""``/etc/os-release``, see os-release(5): what the distribution is called."""

from __future__ import annotations

import re

_PART = re.compile(r"""(?P<plain>[^"'#]+)|"(?P<escaped>(?:[^"\\]|\\.)*)"|'(?P<quoted>[^']*)'|#.*""")
_ESCAPE = re.compile(r"""\\([\\"$`])""")


def parse_os_release(text: str) -> dict[str, str]:
    """The variables by their name, without quotes, escapes and comments.

    Raises ValueError if a line is neither empty, a comment nor an assignment, or if a quote is not closed.
    """
    variables: dict[str, str] = {}
    for line in text.splitlines():
        assignment = line.strip().removeprefix("export ")
        if not assignment or assignment.startswith("#"):
            continue
        name, equals, value = assignment.partition("=")
        if not equals or _PART.sub("", value):
            raise ValueError(f"expected NAME=value in os-release, got {line!r}")
        variables[name.strip()] = "".join(_bare(part) for part in _PART.finditer(value))
    return variables


def _bare(part: re.Match[str]) -> str:
    if part["escaped"] is not None:
        return _ESCAPE.sub(r"\1", part["escaped"])
    return part["quoted"] or (part["plain"] or "").strip()
