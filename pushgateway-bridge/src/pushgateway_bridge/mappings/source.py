"""The text of a mapping file → its structs, with the line of each key and all that cannot be read."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from pushgateway_bridge.mappings.language import NOT_KEYS, NOT_MAPPING_KEYS, MappingSpec, Spec
from pushgateway_bridge.mappings.problems import Problems, nearest

MAX_FILE_BYTES: Final = 2**20

_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"
_TRUE: Final = frozenset({"true", "yes", "on"})
_UNREAD: Final = object()
"""Instead of a value that could not be read; its problem is noted."""
_PATH_HINT: Final = "; a path with brackets between { and } must be quoted"


class _Loader(yaml.SafeLoader):
    """YAML that lets a plain text begin with @, as paths of an item do."""

    def check_plain(self) -> bool:
        return self.peek() == "@" or bool(super().check_plain())


def read_mapping(text: str, name: str, file: str, problems: Problems) -> MappingSpec | None:
    """The mapping *name* in *text*. What cannot be read is left out and noted; ``None`` if that is everything."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        hint = _PATH_HINT if "'['" in problem else ""
        problems.add(file, mark.line + 1 if mark else 0, "", f"no YAML: {' '.join(problem.split())}{hint}")
        return None
    except RecursionError:
        problems.add(file, 0, "", "no mapping: nested too deeply")
        return None
    finally:
        loader.dispose()
    if node is None:
        problems.add(file, 0, "", "the file is empty; it needs metrics at least")
        return None
    read = _Reader(file, problems).section(MappingSpec, node, "")
    return msgspec.structs.replace(read, name=name, file=file) if isinstance(read, MappingSpec) else None


@lru_cache(64)
def keys_of(kind: type[Spec]) -> Mapping[str, tuple[str, Any]]:
    """Keys of *kind* → field, and type of its value."""
    hints = get_type_hints(kind)
    hidden = NOT_MAPPING_KEYS if kind is MappingSpec else NOT_KEYS
    return {
        field.encode_name: (field.name, hints[field.name])
        for field in msgspec.structs.fields(kind)
        if field.name not in hidden
    }


class _Reader:
    """Reads nodes as what the language's types say."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems

    def _problem(self, node: yaml.Node, place: str, message: str) -> object:
        self._problems.add(self._file, node.start_mark.line + 1, place, message)
        return _UNREAD

    def section(self, kind: type[Spec], node: yaml.Node, place: str) -> object:
        """A section as *kind*."""
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode) and node.tag != _NULL:
            short = kind.shorthand(node.value)
            if short is not None:
                return kind(place=place, line=line, lines=dict.fromkeys(short, line), **short)
        known = keys_of(kind)
        if not isinstance(node, yaml.MappingNode):
            return self._problem(node, place, f"expected keys and values; {nearest('', known)}")
        lines: dict[str, int] = {}
        fields: dict[str, Any] = {}
        for key, child in self._pairs(node, place):
            below = f"{place}.{key.value}" if place else key.value
            if key.value not in known:
                self._problem(key, below, f"unknown key; {nearest(key.value, known)}")
                continue
            name, hint = known[key.value]
            lines[key.value] = key.start_mark.line + 1
            value = self._value(hint, child, below)
            if value is not _UNREAD:
                fields[name] = value
        return kind(place=place, line=line, lines=lines, **fields)

    def _pairs(self, node: yaml.MappingNode, place: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """Keys and values; each key once."""
        found: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, place, "expected a text as the key")
            elif key.value in found:
                first = found[key.value][0].start_mark.line + 1
                self._problem(key, place, f"{key.value!r} stands here twice, first in line {first}")
            else:
                found[key.value] = (key, child)
        return list(found.values())

    def _value(self, hint: Any, node: yaml.Node, place: str) -> object:  # noqa: PLR0911 - one for each kind
        """*node* as a value of type *hint*."""
        kinds = [kind for kind in get_args(hint) if kind is not types.NoneType]
        if get_origin(hint) in (types.UnionType, Union) and len(kinds) == 1:
            return self._value(kinds[0], node, place)
        if isinstance(node, yaml.ScalarNode) and node.tag == _NULL:
            return self._problem(node, place, "is empty")
        if isinstance(hint, type) and issubclass(hint, Spec):
            return self.section(hint, node, place)
        origin = get_origin(hint)
        if origin is tuple:
            if not isinstance(node, yaml.SequenceNode):
                return self._problem(node, place, "expected a list")
            items = [self._value(kinds[0], one, f"{place}[{i}]") for i, one in enumerate(node.value)]
            return tuple(item for item in items if item is not _UNREAD)
        if origin is Mapping:
            if not isinstance(node, yaml.MappingNode):
                return self._problem(node, place, "expected names and values")
            pairs = [
                (key.value, self._value(kinds[1], child, f"{place}.{key.value}"))
                for key, child in self._pairs(node, place)
            ]
            return {key: value for key, value in pairs if value is not _UNREAD}
        if not isinstance(node, yaml.ScalarNode):
            return self._problem(node, place, "expected one value, not a list or keys")
        return self._scalar(hint, node, place)

    def _scalar(self, hint: Any, node: yaml.ScalarNode, place: str) -> object:
        text: str = node.value
        kinds = get_args(hint)
        if get_origin(hint) is Literal:
            return text if text in kinds else self._problem(node, place, f"{text!r}: {nearest(text, kinds)}")
        if hint is str:
            return text
        if hint is bool or bool in kinds:
            if node.tag == _BOOL:
                return text.lower() in _TRUE
            if hint is bool:
                return self._problem(node, place, f"expected true or false, got {text!r}")
        number = _number(text)
        if number is None or (hint is not float and number != int(number)):
            whole = "number" if hint is float else "whole number"
            return self._problem(node, place, f"expected a {whole}, got {text!r}")
        return number if hint is float else int(number)


def _number(text: str) -> float | None:
    """The finite number that *text* is; more than YAML takes for one, as 1e3."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
