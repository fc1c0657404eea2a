"""Files as pages ask for them: read when they change and not before, compressed where that is understood."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import Request, Response

from pushgateway_bridge.exposition.negotiation import accepts_gzip

MIN_COMPRESSED_BYTES: Final = 1024
"""What is shorter fits into one packet as it is."""
VARY: Final = {"Vary": "Accept-Encoding"}


class Content(NamedTuple):
    """What a file holds, ready to be sent."""

    body: bytes
    compressed: bytes | None
    """gzip, where that is shorter."""
    etag: str
    """Weak, as it names both forms."""


class Files:
    """Contents of files, each kept until its file is another one."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[tuple[int, int, int], Content]] = {}

    def read(self, file: Path) -> Content:
        """What *file* holds. Blocks. Raises OSError."""
        status = file.stat()
        version = status.st_mtime_ns, status.st_size, status.st_ino
        kept = self._kept.get(file)
        if kept is not None and kept[0] == version:
            return kept[1]
        content = make_content(file.read_bytes())
        self._kept[file] = version, content
        return content


def make_content(body: bytes) -> Content:
    """*body* with its compressed form and its name."""
    compressed = gzip.compress(body, mtime=0) if len(body) >= MIN_COMPRESSED_BYTES else body
    return Content(
        body,
        compressed if len(compressed) < len(body) else None,
        f'W/"{hashlib.sha256(body).hexdigest()[:32]}"',
    )


def respond(request: Request, content: Content, media_type: str, headers: Mapping[str, str]) -> Response:
    """*content*, or 304 to who has it already."""
    sent = {**headers, **VARY, "ETag": content.etag}
    known = request.headers.get("if-none-match", "")
    if content.etag in [tag.strip() for tag in known.split(",")]:
        return Response(status_code=304, headers=sent)
    if content.compressed is not None and accepts_gzip(request.headers.get("accept-encoding", "")):
        return Response(
            content.compressed, headers={**sent, "Content-Encoding": "gzip"}, media_type=media_type
        )
    return Response(content.body, headers=sent, media_type=media_type)
