"""JSONPaths (RFC 9535), compiled once. Pure.

Paths of names, indexes and wildcards, which nearly all are, are walked here; all others by python-jsonpath.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError
from jsonpath.filter import BaseExpression, FilterQuery, FunctionExtension, StringLiteral
from jsonpath.segments import JSONPathChildSegment, JSONPathSegment
from jsonpath.selectors import Filter, IndexSelector, NameSelector, WildcardSelector

MAX_PATH_CHARACTERS: Final = 1000
BODY: Final = "$"
ITEM: Final = "@"

Key = str | int
"""A member's name, or an index."""
Match = tuple[tuple[Key, ...], object]
"""Where a value stands, from the root of its path on, and the value."""


class _Wildcard:
    """A step to all members or elements."""


_ALL: Final = _Wildcard()
_Step = str | int | _Wildcard


class Missing:
    """What a path gives that matches nothing."""


MISSING: Final = Missing()
_environment = JSONPathEnvironment(strict=True)


class BadPath(Exception):
    """A text that is no path. ``str(error)`` says where it goes wrong."""


class Path:
    """Where values stand in a body, or in an item of it."""

    __slots__ = ("_query", "_steps", "names", "of_body", "singular", "text")

    def __init__(self, text: str, query: JSONPath) -> None:
        self.text = text
        self.of_body = text.startswith(BODY)
        """Whether it begins at the body, else at the item."""
        self._query = query
        self._steps = _steps_of(query.segments)
        self.singular = self._steps is not None and _ALL not in self._steps
        """Whether it can match one value at most, however the body looks."""
        self.names: tuple[str, ...] | None = None
        """The steps, if all of them are members' names."""
        if self._steps is not None:
            names = tuple([step for step in self._steps if isinstance(step, str)])
            self.names = names if len(names) == len(self._steps) else None

    def find(self, root: object) -> object:
        """The value that a singular path matches in *root*; MISSING if there is none."""
        node: Any = root
        if self.names is not None:
            try:
                for name in self.names:
                    node = node[name]
            except (KeyError, TypeError):
                return MISSING
            return node
        assert self._steps is not None
        for step in self._steps:
            if isinstance(step, str):
                if type(node) is not dict or step not in node:
                    return MISSING
            else:
                assert isinstance(step, int)
                if type(node) is not list or not -len(node) <= step < len(node):
                    return MISSING
            node = node[step]
        return node

    def matches(self, root: Any) -> Iterator[Match]:
        """All matches in *root*, in the order in which the body has them."""
        if self._steps is not None:
            return _walk(root, self._steps, ())
        # It would read a text as JSON; in a scalar nothing matches.
        if type(root) is not dict and type(root) is not list:
            return iter(())
        return ((match.parts, match.obj) for match in self._query.finditer(root))


def compile_path(text: str) -> Path:
    """The path that *text* says, beginning with ``$`` or ``@``. Raises BadPath."""
    if not text.startswith((BODY, ITEM)):
        raise BadPath(f"a path begins with $ (the body) or @ (the item), got {text[:40]!r}")
    if len(text) > MAX_PATH_CHARACTERS:
        raise BadPath(f"a path has at most {MAX_PATH_CHARACTERS} characters, got {len(text)}")
    try:
        query = _environment.compile(BODY + text[1:])
    except JSONPathError as error:
        token = error.token
        where = " at its end"
        if token is not None and 0 <= token.index < len(text):
            where = f" at character {token.index + 1}"
        raise BadPath(f"bad path{where}: {error.message}, in {text!r}") from error
    except (ValueError, IndexError, RecursionError) as error:
        raise BadPath(f"bad path {text!r}: {error}") from error
    if not isinstance(query, JSONPath):
        raise BadPath(f"bad path {text!r}: expected one path")
    _check_patterns(query.segments)
    return Path(text, query)


def _steps_of(segments: Iterable[JSONPathSegment]) -> tuple[_Step, ...] | None:
    """The steps of a path that has nothing but names, indexes and wildcards."""
    steps: list[_Step] = []
    for segment in segments:
        if not isinstance(segment, JSONPathChildSegment) or len(segment.selectors) != 1:
            return None
        selector = segment.selectors[0]
        if isinstance(selector, NameSelector):
            steps.append(selector.name)
        elif isinstance(selector, IndexSelector):
            steps.append(selector.index)
        elif isinstance(selector, WildcardSelector):
            steps.append(_ALL)
        else:
            return None
    return tuple(steps)


def _walk(node: Any, steps: tuple[_Step, ...], keys: tuple[Key, ...]) -> Iterator[Match]:
    for number, step in enumerate(steps):
        if isinstance(step, _Wildcard):
            pairs: Iterable[tuple[Key, object]] = ()
            if type(node) is dict:
                pairs = node.items()
            elif type(node) is list:
                pairs = enumerate(node)
            rest = steps[number + 1 :]
            for key, child in pairs:
                if rest:
                    yield from _walk(child, rest, (*keys, key))
                else:
                    yield (*keys, key), child
            return
        if type(step) is str:
            if type(node) is not dict or step not in node:
                return
        else:
            assert isinstance(step, int)
            if type(node) is not list or not -len(node) <= step < len(node):
                return
            step = step % len(node)  # noqa: PLW2901 - one counted from the end, as the index that it is
        node = node[step]
        keys = (*keys, step)
    yield keys, node


def _check_patterns(segments: Iterable[JSONPathSegment]) -> None:
    """Raises BadPath for a regular expression that a pusher could choose: it may take for ever to match."""
    waiting: list[BaseExpression] = []
    for segment in segments:
        waiting += [one.expression for one in segment.selectors if isinstance(one, Filter)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, FunctionExtension) and one.name in ("match", "search"):
            if not isinstance(one.args[1], StringLiteral):
                raise BadPath(f"bad path: the pattern of {one.name}() must be a text in the path itself")
        elif isinstance(one, FilterQuery):
            _check_patterns(one.path.segments)
        waiting += one.children()
