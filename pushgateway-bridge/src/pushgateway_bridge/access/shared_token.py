"""A token that another program is given at its start, as a file; the bridge is given the file of its hash.

So nobody need copy a token by hand, and the bridge cannot tell it to anybody. A file of a hash is no secret.
"""

from __future__ import annotations

import contextlib
import hmac
import os
from pathlib import Path
from typing import Final

from pushgateway_bridge.access.token import MAX_SECRET_CHARACTERS, hash_secret, new_secret
from pushgateway_bridge.errors import StartFailed

HASH_SUFFIX: Final = ".sha256"
MAX_FILE_CHARACTERS: Final = 4096


def provide_token(file: Path) -> None:
    """Make the token in *file* if there is none, and the file of its hash beside it. Raises StartFailed.

    A file that is there stays: it may come from elsewhere.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            _create(file, new_secret(), 0o600)
        secret = file.read_text(encoding="ascii").strip()
        if not 0 < len(secret) <= MAX_SECRET_CHARACTERS:
            raise StartFailed(
                f"token file {file}: expected one token of at most {MAX_SECRET_CHARACTERS} characters"
            )
        beside, hashed = Path(f"{file}{HASH_SUFFIX}"), hash_secret(secret)
        if not beside.exists() or beside.read_text(encoding="ascii").strip() != hashed:
            beside.unlink(missing_ok=True)
            _create(beside, hashed, 0o644)
    except UnicodeDecodeError as error:
        raise StartFailed(f"token file {file}: expected letters and digits") from error
    except OSError as error:
        raise StartFailed(f"token file {error.filename or file}: {error.strerror}") from error


def _create(file: Path, text: str, mode: int) -> None:
    """Put *text* into *file*, which is complete as soon as it is there. Raises FileExistsError if it is."""
    beside = file.with_name(f".{file.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            os.fchmod(descriptor, mode)
            opened.write(f"{text}\n")
            opened.flush()
            os.fsync(descriptor)
        os.link(beside, file)
    finally:
        beside.unlink(missing_ok=True)


class SharedToken:
    """Knows a token by the file of its hash, which is read anew each time: it may be replaced."""

    def __init__(self, hash_file: Path) -> None:
        self._hash_file = hash_file

    def matches(self, secret: str) -> bool:
        """Whether *secret* is the token; it reads the file, so it blocks. Without a file nothing is."""
        if not 0 < len(secret) <= MAX_SECRET_CHARACTERS:
            return False
        try:
            with self._hash_file.open(encoding="ascii") as opened:
                hashed = opened.read(MAX_FILE_CHARACTERS).strip()
        except (OSError, UnicodeDecodeError):
            return False
        return hmac.compare_digest(hashed, hash_secret(secret))
