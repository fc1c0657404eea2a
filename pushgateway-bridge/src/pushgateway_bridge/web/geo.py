"""In which country a client is: as a trusted proxy says, else as a MaxMind database says. Its address is not kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import maxminddb

from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.web.rate import ClientAddresses

if TYPE_CHECKING:
    from fastapi import Request  # the command line reads this module, and does not need the rest of it

COUNTRY_HEADERS: Final = (
    "cf-ipcountry",
    "x-geo-country",
    "x-country-code",
    "x-appengine-country",
    "fastly-country-code",
)
"""Where content delivery networks and proxies write the country; the first that is there counts."""
NOWHERE: Final = frozenset({"XX", "T1", "ZZ", "AP", "EU"})
"""What they write for unknown, for Tor, and for more than one country."""


class Countries:
    """Finds the country of a client."""

    def __init__(self, addresses: ClientAddresses, database: str = "") -> None:
        """*database*: a file in MaxMind's format with countries or cities; empty: none. Raises StartFailed."""
        self._addresses = addresses
        self._lookup: Callable[[str], object] | None = None
        if database:
            try:
                # The whole file in memory: a file that is replaced under a running bridge is no danger to it.
                reader = maxminddb.open_database(Path(database), maxminddb.MODE_MEMORY)
            except (OSError, maxminddb.InvalidDatabaseError) as error:
                what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                raise StartFailed(f"geo.database {database}: {what}") from error
            self._lookup = reader.get

    @property
    def may_know(self) -> bool:
        """Whether it knows of any client: there is a database, or a proxy that is believed."""
        return self._lookup is not None or self._addresses.has_proxies

    def of(self, request: Request) -> str:
        """Two capital letters (ISO 3166-1), or an empty text if nobody knows."""
        peer = request.client.host if request.client is not None else ""
        if self._addresses.is_proxy(peer):
            for name in COUNTRY_HEADERS:
                value = request.headers.get(name)
                if value is not None:
                    return country_code(value)
        if self._lookup is None:
            return ""
        client = self._addresses.of(request).partition("/")[0]
        try:
            found = self._lookup(client)
        except ValueError:  # no address at all, as on a Unix socket; or IPv6 in a database without
            return ""
        return country_code(_iso_code(found))


def country_code(text: str) -> str:
    """*text* as a country's code; empty if it is none."""
    code = text.strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() and code not in NOWHERE else ""


def _iso_code(found: object) -> str:
    """The country in a row of the database, whatever of it is there."""
    for part in ("country", "registered_country"):
        row = found.get(part) if isinstance(found, dict) else None
        code = row.get("iso_code") if isinstance(row, dict) else None
        if isinstance(code, str):
            return code
    return ""
