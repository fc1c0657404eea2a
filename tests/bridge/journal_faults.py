"""The bridge with a fault planted in its journal: ``python -m tests.bridge.journal_faults FAULT serve ...``

Proves that the tests which look for what such a fault does can fail.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

from pushgateway_bridge import app, cli
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.journal.entry import Entry
from pushgateway_bridge.journal.journal import Journal
from tests.bridge.process import BridgeProcess

COMMIT_DELAY_SECONDS = 0.3


class SlowJournal(Journal):
    """Waits before each commit, as a slow disk does. No fault by itself."""

    def _transact(self, *arguments: Any) -> Any:
        time.sleep(COMMIT_DELAY_SECONDS)
        return super()._transact(*arguments)


class _Silent(Entry):
    """The same to write, but nobody is told when it is."""

    __slots__ = ()

    def __init__(self, entry: Entry) -> None:
        self.record, self.recent, self.extra = entry.record, entry.recent, entry.extra

    def committed(self, position: int) -> None:
        pass

    def failed(self, refusal: PushRejected) -> None:
        pass


class HastyJournal(SlowJournal):
    """Tells pushers that their pushes are on disk before they are."""

    def append(self, entry: Entry) -> None:
        if entry.record is None:
            super().append(entry)
            return
        asyncio.get_running_loop().call_soon(entry.committed, self._next_position)
        super().append(_Silent(entry))


FAULTS: dict[str, type[Journal]] = {"slow": SlowJournal, "hasty": HastyJournal}


class FaultyBridge(BridgeProcess):
    """A bridge process with one of FAULTS."""

    def __init__(self, fault: str, directory: Path, *arguments: str, log: Path | None = None) -> None:
        super().__init__(directory, *arguments, log=log)
        self.program = (sys.executable, "-m", "tests.bridge.journal_faults", fault, "serve")


if __name__ == "__main__":
    with mock.patch.object(app, "Journal", FAULTS[sys.argv.pop(1)]):
        cli.main()
