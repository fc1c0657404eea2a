"""Sessions of the dashboard page: a cookie that says which token logged in, signed, so that nothing is kept.

It is void when the token is: the signature covers the token's hash.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from pushgateway_bridge.access.token import Right, Token
from pushgateway_bridge.access.tokens import NoSuchToken, Tokens

COOKIE: Final = "telemetry_session"
MAX_COOKIE_CHARACTERS: Final = 200


class Sessions:
    """Makes and checks cookies. *secret* is asked when it is needed: it comes from the journal."""

    def __init__(
        self, tokens: Tokens, secret: Callable[[], bytes], clock_ms: Callable[[], int], seconds: float
    ) -> None:
        self._tokens = tokens
        self._secret = secret
        self._clock_ms = clock_ms
        self.seconds = seconds

    def begin(self, token: Token) -> str:
        """The cookie of a session that *token* begins now."""
        until_ms = self._clock_ms() + round(self.seconds * 1000)
        return f"{token.id}.{until_ms}.{self._signature(token, until_ms)}"

    def reader(self, cookie: str) -> Token | None:
        """The token whose session *cookie* is, if both are good now and it may read."""
        number, _, rest = cookie.partition(".")
        until, _, signature = rest.partition(".")
        if len(cookie) > MAX_COOKIE_CHARACTERS or not (_is_number(number) and _is_number(until)):
            return None
        try:
            token = self._tokens.get(int(number))
        except NoSuchToken:
            return None
        now_ms, until_ms = self._clock_ms(), int(until)
        good = hmac.compare_digest(self._signature(token, until_ms).encode(), signature.encode())
        if not good or now_ms >= until_ms or token.flaw(now_ms) is not None or not token.may(Right.READ):
            return None
        return token

    def _signature(self, token: Token, until_ms: int) -> str:
        text = f"session {token.id} {until_ms} {token.sha256}".encode()
        return hashlib.blake2b(text, key=self._secret(), digest_size=32).hexdigest()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20
