"""The dashboards that the page shows: files of a folder, which may change while the bridge runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import msgspec

from pushgateway_bridge.web.files import Content, Files

logger = logging.getLogger(__name__)


class Dashboard(NamedTuple):
    """One of them."""

    uid: str
    listed: dict[str, object]
    """What the list says of it: uid, title and tags."""
    content: Content


class Dashboards:
    """Those in *directory*; a file is read again when it has changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = Files()
        self._known: dict[Path, Dashboard] = {}

    def read(self) -> dict[str, Dashboard]:
        """All of them by uid; a file that is none is left out and logged. Blocks."""
        found: dict[str, Dashboard] = {}
        for file in sorted(self._directory.glob("*.json")):
            try:
                one = self._read(file)
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
                logger.warning("dashboard left out file=%s error=%r", file, str(error))
            else:
                found[one.uid] = one
        return found

    def list(self) -> list[dict[str, object]]:
        """Uid, title and tags of each, by title. Blocks."""
        return sorted((one.listed for one in self.read().values()), key=lambda row: str(row["title"]))

    def _read(self, file: Path) -> Dashboard:
        content = self._files.read(file)
        known = self._known.get(file)
        if known is None or known.content is not content:
            document = msgspec.json.decode(content.body, type=dict[str, object])
            listed = {key: document.get(key) for key in ("uid", "title", "tags")}
            known = self._known[file] = Dashboard(str(document["uid"]), listed, content)
        return known
