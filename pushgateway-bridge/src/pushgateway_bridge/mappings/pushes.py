"""The mapped dialect with its mappings: which one a path means, and what it makes of a body."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote

import msgspec

from pushgateway_bridge.dialects.dialect import Dialect, PushContext
from pushgateway_bridge.dialects.mapped import PATH, UnknownMapping, make_dialect
from pushgateway_bridge.mappings.compiled import Mapping, Mappings
from pushgateway_bridge.mappings.decode import MappedDecoder
from pushgateway_bridge.mappings.explain import Explanation, explain
from pushgateway_bridge.mappings.problems import nearest
from pushgateway_bridge.model.report import Report

MAX_SHOWN_CHARACTERS = 64


class MappedPushes:
    """Decodes pushes by the mappings that are in use. *secret* gives the key of hashes, of 16 to 64 bytes."""

    def __init__(self, mappings: Mappings, secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self.use(mappings)

    def use(self, mappings: Mappings) -> None:
        """Decode by other *mappings* from now on."""
        self.mappings = mappings
        self._decoder = MappedDecoder(self._secret)
        self._find = lru_cache(1024)(self._look_up)

    @property
    def dialect(self) -> Dialect:
        """The dialect; it stays the same when other mappings are used."""
        return msgspec.structs.replace(make_dialect(self.decode), own_key=self.idempotency_key)

    def mapping_at(self, path: str) -> Mapping:
        """The mapping that a *path* means, percent-encoded as it was sent. Raises UnknownMapping."""
        return self._find(path)

    def mapping(self, name: str) -> Mapping:
        """The mapping *name*. Raises UnknownMapping."""
        found = self.mappings.by_name.get(name)
        if found is None:
            shown = ascii(name[:MAX_SHOWN_CHARACTERS])
            raise UnknownMapping(f"there is no mapping {shown}; {nearest(name[:80], self.mappings.by_name)}")
        return found

    def _look_up(self, path: str) -> Mapping:
        return self.mapping(unquote(path.removeprefix(PATH)).removesuffix("/"))

    def decode(self, body: bytes, context: PushContext) -> Report:
        """The report of a push. Raises PushRejected."""
        return self._decoder.decode(self._find(context.path), body, context)

    def idempotency_key(self, body: bytes, context: PushContext) -> str | None:
        """The key that *body* itself has; ``None`` if it has none, or its mapping names none. Raises PushRejected."""
        return self._decoder.idempotency_key(self._find(context.path), body, context)

    def explain(self, name: str, body: bytes, context: PushContext) -> Explanation:
        """What the mapping *name* would make of *body*. Raises PushRejected."""
        return explain(self._decoder, self.mapping(name), body, context)
