"""Who may ask: HTTP basic authentication against bcrypt hashes."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import bcrypt

CHECKS_AT_ONCE: Final = 1
"""bcrypt is made to cost time: more at once would let anyone who guesses take every core."""

MAX_WAITING: Final = 32
"""Different passwords that wait for their check. Guessing fills this; it stops no one whose password was verified."""

MAX_VERIFIED: Final = 256
"""Verified passwords that are remembered, so that a scrape costs no bcrypt."""

MAX_CREDENTIALS_BYTES: Final = 1024
BCRYPT_BYTES: Final = 72
"""bcrypt looks at no more of a password, and its library refuses longer ones; htpasswd and Go cut them."""


class TooManyChecksError(Exception):
    """So many passwords wait to be checked that this one cannot."""


class Credentials(NamedTuple):
    """What a client says of itself."""

    name: str
    password: bytes


class Users:
    """The users of a file. Safe on one event loop; bcrypt runs in a thread of its own."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._key = secrets.token_bytes(32)
        self._pool = ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="bcrypt")
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self.renew(hashes)

    def renew(self, hashes: Mapping[str, str]) -> None:
        """Go on with other users; what was verified before is forgotten."""
        self._hashes = {name: hashed.encode() for name, hashed in hashes.items()}
        costs = [_cost(hashed) for hashed in self._hashes.values()]
        # No password has these: their last part is no hash of anything.
        self._dummies = {
            cost: bcrypt.gensalt(cost) + b"." * 31 for cost in range(4, max(costs, default=4) + 1)
        }
        self._verified.clear()

    @property
    def required(self) -> bool:
        """Whether there is anyone to ask for."""
        return bool(self._hashes)

    async def check(self, authorization: str | None) -> str | None:
        """The name of the user whom the value of an ``Authorization`` header proves, else None.

        A wrong password takes the same time whether or not the user exists. Raises TooManyChecksError.
        """
        credentials = parse_basic(authorization or "")
        if credentials is None:
            return None
        digest = self._digest(credentials)
        if digest in self._verified:
            self._verified.move_to_end(digest)
            return credentials.name
        if not await self._checked(digest, credentials):
            return None
        self._verified[digest] = None
        while len(self._verified) > MAX_VERIFIED:
            self._verified.popitem(last=False)
        return credentials.name

    def close(self) -> None:
        """Checks that wait are not made any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _checked(self, digest: bytes, credentials: Credentials) -> bool:
        """The same password asked for many times at once is checked once."""
        running = self._running.get(digest)
        if running is None:
            if len(self._running) >= CHECKS_AT_ONCE + MAX_WAITING:
                raise TooManyChecksError("too many passwords are being checked")
            running = asyncio.get_running_loop().run_in_executor(
                self._pool,
                _verify,
                credentials.password,
                self._hashes.get(credentials.name),
                self._dummies,
            )
            self._running[digest] = running
            running.add_done_callback(lambda _: self._running.pop(digest, None))
        # One who goes away does not take the answer from the others.
        return await asyncio.shield(running)

    def _digest(self, credentials: Credentials) -> bytes:
        """Stands for name, password and hash in memory; without the key, which never leaves it, it tells nothing."""
        digest = hashlib.blake2b(key=self._key)
        for part in (
            credentials.name.encode(errors="surrogateescape"),
            self._hashes.get(credentials.name, b""),
            credentials.password,
        ):
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()


def parse_basic(authorization: str) -> Credentials | None:
    """None for another scheme and for what is malformed. See RFC 7617; names are UTF-8."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > MAX_CREDENTIALS_BYTES:
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return Credentials(name.decode(errors="surrogateescape"), password) if colon else None


def _verify(password: bytes, hashed: bytes | None, dummies: Mapping[int, bytes]) -> bool:
    """Whether *password* is right. If not, what it cost is the same for every user and for none.

    A check of cost *n* is 2**n steps: one at the user's own cost, and one at each from there to below the highest, are
    as many as one at the highest.
    """
    password = password[:BCRYPT_BYTES]
    highest = max(dummies)
    if hashed is None:
        return bcrypt.checkpw(password, dummies[highest])
    if bcrypt.checkpw(password, hashed):
        return True
    for cost in range(_cost(hashed), highest):
        bcrypt.checkpw(password, dummies[cost])
    return False


def _cost(hashed: bytes) -> int:
    return int(hashed.split(b"$")[2])
