"""The tokens of one folder: read, checked, made, revoked. One process at a time has the folder.

The file holds hashes only. It is written whole beside itself, fsynced and renamed, so that a crash leaves the old
one or the new one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from pushgateway_bridge.access.token import (
    ACTIVATION_SECONDS,
    MAX_SECRET_CHARACTERS,
    KnownToken,
    Right,
    Token,
    hash_secret,
    new_secret,
)
from pushgateway_bridge.errors import Forbidden, StartFailed, WrongToken

logger = logging.getLogger(__name__)

FILE_NAME: Final = "tokens.json"
LOCK_NAME: Final = "lock"
VERSION: Final = 1
LAST_USED_SECONDS: Final = 60
"""How far behind the file's times of last use may be."""


class FileVersion(msgspec.Struct, frozen=True):
    """All that is looked at before it is known whether the rest can be read."""

    version: int = VERSION


class TokenFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds."""

    version: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)] = VERSION
    next_id: Annotated[int, msgspec.Meta(ge=1, le=2**53)] = 1
    """Numbers are not given out twice: an instance may be named by one."""
    tokens: tuple[Token, ...] = ()


class NoSuchToken(LookupError):
    """No token has that number."""


class TokenRevoked(Exception):
    """The token is void for good."""


class FolderInUse(Exception):
    """Another process, most likely the bridge, has the folder."""


class Tokens:
    """All tokens. Lookups are made in the event loop; changes block on the disk, so make them in a thread."""

    def __init__(self, directory: Path, clock_ms: Callable[[], int]) -> None:
        self.directory = directory
        self.file = directory / FILE_NAME
        self._clock_ms = clock_ms
        self._by_hash: dict[str, KnownToken] = {}
        self._by_id: dict[int, KnownToken] = {}
        self._next_id = 1
        self._written: dict[int, int] = {}
        """Times of last use as the file has them."""
        self._changing = threading.Lock()

    # The file

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Have the folder for this process. Raises FolderInUse, or StartFailed if it cannot be made."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartFailed(f"access.directory {self.directory}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FolderInUse(
                    f"access.directory {self.directory} is in use by another process"
                ) from error
            yield
        finally:
            os.close(descriptor)

    def load(self) -> None:
        """Read the file; without one there are no tokens. Raises StartFailed, and keeps what it had."""
        with self._changing:  # from before it is read: a change meanwhile would be undone
            self._replace(self._read())

    def _read(self) -> TokenFile:
        try:
            text = self.file.read_bytes()
            mode = self.file.stat().st_mode
        except FileNotFoundError as error:
            if self._by_id:
                raise StartFailed(
                    f"token file {self.file} is gone; the tokens that it had stay good"
                ) from error
            return TokenFile()
        except OSError as error:
            raise StartFailed(f"token file {self.file}: {error.strerror}") from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            logger.warning(
                "token file readable by others file=%s mode=%04o hint='chmod 600'", self.file, mode & 0o777
            )
        return self._decode(text)

    def _decode(self, text: bytes) -> TokenFile:
        try:
            version = msgspec.json.decode(text, type=FileVersion).version
            if version > VERSION:
                raise StartFailed(
                    f"token file {self.file}: a newer bridge wrote it (version {version}, this one reads {VERSION})"
                )
            document = msgspec.json.decode(text, type=TokenFile)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StartFailed(f"token file {self.file}: {error}") from error
        ids = [token.id for token in document.tokens]
        hashes = {token.sha256 for token in document.tokens}
        if len(set(ids)) < len(ids) or len(hashes) < len(ids):
            raise StartFailed(f"token file {self.file}: two tokens have the same id or sha256")
        if max(ids, default=0) >= document.next_id:
            raise StartFailed(f"token file {self.file}: next_id {document.next_id} is not above all ids")
        return document

    def _replace(self, document: TokenFile) -> None:
        """Take over *document*, whatever was there. What did not change stays, and so does when it was last used."""
        by_id: dict[int, KnownToken] = {}
        for token in document.tokens:
            known = self._by_id.get(token.id)
            last_used_ms = (
                token.last_used_ms if known is None else max(token.last_used_ms, known.last_used_ms)
            )
            if known is None or not _same(known.token, token):
                known = KnownToken(token)
            known.last_used_ms = last_used_ms
            by_id[token.id] = known
        before, self._by_id = self._by_id, by_id
        self._by_hash = {known.token.sha256: known for known in by_id.values()}
        for known in before.values():
            known.withdrawn = by_id.get(known.token.id) is not known
        self._next_id = max(self._next_id, document.next_id)
        self._written = {token.id: token.last_used_ms for token in document.tokens}

    def _keep(self, token: Token) -> None:
        known = KnownToken(token)
        before = self._by_id.get(token.id)
        if before is not None:
            known.last_used_ms = max(known.last_used_ms, before.last_used_ms)
        # The event loop may look it up at any moment: it is never away.
        self._by_id[token.id] = self._by_hash[token.sha256] = known
        if before is not None:
            before.withdrawn = True
            if before.token.sha256 != token.sha256:
                self._by_hash.pop(before.token.sha256, None)

    def _save(self, changed: Sequence[Token] = (), next_id: int | None = None) -> None:
        """Write what is known with *changed* in it, then take these over.

        Raises OSError, or ValueError for a token that ``load`` would not read again, and nothing changed.
        """
        tokens = {token.id: token for token in self.list()} | {token.id: token for token in changed}
        document = TokenFile(
            next_id=next_id or self._next_id,
            tokens=tuple(sorted(tokens.values(), key=lambda token: token.id)),
        )
        text = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
        msgspec.json.decode(text, type=TokenFile)
        beside = self.file.with_suffix(".json.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            os.fchmod(descriptor, 0o600)
            opened.write(text)
            opened.flush()
            os.fsync(descriptor)
        beside.replace(self.file)
        folder = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        for token in changed:
            self._keep(token)
        self._next_id = document.next_id
        self._written = {token.id: token.last_used_ms for token in document.tokens}

    # Checks, in the event loop

    def find(self, secret: str) -> KnownToken:
        """The token that *secret* is, if it is good now. Raises WrongToken."""
        if not 0 < len(secret) <= MAX_SECRET_CHARACTERS:
            raise WrongToken("this is no token of this bridge")
        hashed = hash_secret(secret)
        known = self._by_hash.get(hashed)
        if known is None or not hmac.compare_digest(known.token.sha256, hashed):
            raise WrongToken("unknown token")
        flaw = known.token.flaw(self._clock_ms())
        if flaw is not None:
            raise WrongToken(f"this token {flaw}")
        return known

    def use(self, known: KnownToken, right: Right) -> None:
        """Note that *known* is used for *right*. Raises Forbidden if it may not be."""
        if not known.token.may(right):
            raise Forbidden(
                f"token {known.token.id} may {', '.join(known.token.rights) or 'nothing'}, not {right}"
            )
        known.last_used_ms = self._clock_ms()

    def get(self, token_id: int) -> Token:
        """Raises NoSuchToken."""
        known = self._by_id.get(token_id)
        if known is None:
            raise NoSuchToken(f"no token has the number {token_id}")
        return self._current(known)

    def list(self) -> list[Token]:
        """All tokens by number, with their newest times of use."""
        return [self._current(known) for _, known in sorted(self._by_id.items())]

    @staticmethod
    def _current(known: KnownToken) -> Token:
        if known.last_used_ms == known.token.last_used_ms:
            return known.token
        return msgspec.structs.replace(known.token, last_used_ms=known.last_used_ms)

    def __len__(self) -> int:
        return len(self._by_id)

    # Changes, which block on the disk

    def create(
        self,
        name: str,
        rights: Sequence[Right],
        *,
        job: str = "",
        instance: str = "",
        owner: int = 0,
        lifetime_seconds: float = 0.0,
        enrol: bool = False,
        instance_is_id: bool = False,
    ) -> tuple[Token, str]:
        """A new token and its text, which is nowhere else. Raises OSError, or ValueError if it may not be so.

        *lifetime_seconds* 0: for ever. With *instance_is_id* its number is the instance it is bound to.
        """
        with self._changing:
            secret, now_ms, token_id = new_secret(), self._clock_ms(), self._next_id
            token = Token(
                id=token_id,
                name=name,
                sha256=hash_secret(secret),
                rights=tuple(dict.fromkeys(rights)),
                job=job,
                instance=str(token_id) if instance_is_id else instance,
                owner=owner,
                created_ms=now_ms,
                expires_ms=now_ms + round(lifetime_seconds * 1000) if lifetime_seconds else 0,
                activate_before_ms=now_ms + ACTIVATION_SECONDS * 1000 if enrol else 0,
            )
            self._save([token], token_id + 1)
            return token, secret

    def rotate(self, token_id: int) -> tuple[Token, str]:
        """The same token with a new text; the old one is void at once. Raises NoSuchToken, TokenRevoked or OSError.

        An enrolment token waits for its first use again.
        """
        with self._changing:
            token, secret, now_ms = self.get(token_id), new_secret(), self._clock_ms()
            if token.revoked_ms:
                raise TokenRevoked(f"token {token_id} was revoked, for good: make a new one")
            lifetime_ms = token.expires_ms - token.created_ms if token.expires_ms else 0
            renewed = msgspec.structs.replace(
                token,
                sha256=hash_secret(secret),
                created_ms=now_ms,
                expires_ms=now_ms + lifetime_ms if lifetime_ms else 0,
                activate_before_ms=now_ms + ACTIVATION_SECONDS * 1000 if token.activate_before_ms else 0,
                activated_ms=0,
            )
            self._save([renewed])
            return renewed, secret

    def revoke(self, token_id: int) -> Token:
        """The token, void from now on; it stays in the list. Raises NoSuchToken or OSError."""
        with self._changing:
            token = self.get(token_id)
            if not token.revoked_ms:
                token = msgspec.structs.replace(token, revoked_ms=self._clock_ms())
                self._save([token])
            return token

    def activate(self, token_id: int, sha256: str | None = None) -> None:
        """Note on disk that an enrolment token was used in time. Raises NoSuchToken or OSError.

        With *sha256* only if that is still its text: raises NoSuchToken if it was rotated meanwhile.
        """
        with self._changing:
            token = self.get(token_id)
            if sha256 is not None and (token.sha256 != sha256 or token.revoked_ms):
                raise NoSuchToken(f"token {token_id} was replaced")
            if token.waits_for_activation:
                self._save([msgspec.structs.replace(token, activated_ms=self._clock_ms())])

    def save_last_used(self) -> None:
        """Bring the file's times of last use up to date, if any is behind. Raises OSError."""
        with self._changing:
            if any(token.last_used_ms != self._written.get(token.id) for token in self.list()):
                self._save()


def _same(known: Token, read: Token) -> bool:
    """Whether they differ in nothing but their last use."""
    return msgspec.structs.replace(known, last_used_ms=read.last_used_ms) == read
