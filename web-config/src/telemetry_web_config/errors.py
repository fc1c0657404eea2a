"""What is wrong with a web configuration file."""

from __future__ import annotations

from pathlib import Path


class WebConfigError(Exception):
    """The file cannot be used; ``str(error)`` is one line that names the file and the key."""

    def __init__(self, file: Path, key: str, problem: str) -> None:
        parts = (str(file), key, problem) if key else (str(file), problem)
        super().__init__(" ".join(": ".join(parts).split()))
        self.key = key
