"""Makes documents for ``/system`` in a thread of their own: scrapes and polls do not wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from host_exporter.worker import Worker

ANSWER_SECONDS = 4.5
"""statix' forwarder waits five."""


class Document(Protocol):
    """The document as it is now; for one thread."""

    def json(self) -> bytes: ...


class SystemSource:
    """Opens what makes the document when it is first asked for: most exporters are never asked."""

    def __init__(self, open_document: Callable[[], Document]) -> None:
        self._open_document = open_document
        self._document: Document | None = None
        self._worker: Worker | None = None

    async def json(self) -> bytes:
        """The document. Raises TimeoutError if the host does not answer in time: a mount may hang."""
        self._worker = self._worker or Worker("system")
        future = asyncio.wrap_future(self._worker.submit(self._make))
        return await asyncio.wait_for(future, ANSWER_SECONDS)

    def close(self) -> None:
        """End the thread; one that hangs ends with the process."""
        if self._worker is not None:
            self._worker.stop()

    def _make(self) -> bytes:
        self._document = self._document or self._open_document()
        return self._document.json()
