"""What minigem's events become: each field read as its clients mean it, and nothing kept that is free text.

The strings that become labels are an allow-listed name, a family of systems, or look like a version. *anon*, the
session and the exception stay as sent, in memory only: the tally turns them into keyed hashes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from pushgateway_bridge.dialects.masking import mask_text
from pushgateway_bridge.model.timestamps import believed_time_ms, parse_iso8601_ms

ACTIVATE: Final = "lifecycle.activate"
RUN_STARTED: Final = "java.run.started"
RUN_COMPLETED: Final = "java.run.completed"
RUN_ERROR: Final = "java.run.error"
OPT_OUT: Final = "telemetry.optout"
OPT_IN: Final = "telemetry.optin"
INSTALL: Final = "install.created"
EVENTS: Final = (
    ACTIVATE,
    "lifecycle.deactivate",
    "extension.upgraded",
    RUN_STARTED,
    RUN_COMPLETED,
    RUN_ERROR,
    "feature.webview.open",
    "feature.theme.change",
    "feature.customCss.enable",
    "feature.customCss.disable",
    "settings.changed",
    "error.unhandled",
    OPT_OUT,
    OPT_IN,
    "test.ping",
    INSTALL,
)
"""Names that stand; any other event is OTHER."""
OTHER: Final = "other"
UNKNOWN: Final = "unknown"
NO_VERSION: Final = "0.0.0"
PHASES: Final = ("compile", "runtime")

NOT_AN_OBJECT: Final = "not_an_object"
BAD_ANON: Final = "bad_anon"
BAD_EVENT: Final = "bad_event"
BAD_TIME: Final = "bad_time"
SKIP_REASONS: Final = (NOT_AN_OBJECT, BAD_ANON, BAD_EVENT, BAD_TIME)
"""Why an item holds no event."""

MAX_ID_CHARACTERS: Final = 128
MAX_LABEL_CHARACTERS: Final = 30
MAX_LOOKED_AT: Final = 300
"""Characters of a text in which addresses are looked for: many more than are shown of it."""
MAX_TIME_CHARACTERS: Final = 64
FIRST_MS: Final = 10**12
"""A smaller time is in seconds."""
LAST_MS: Final = 10**15
"""A later time is as good as none: it is not believed, whatever it is exactly."""
MAX_DURATION_MS: Final = 30 * 24 * 3600 * 1000
"""A longer run is none: one such value would spoil every average."""
NO_EXIT: Final = -1
"""An exit code that could not be read; never a success."""
EXIT_LIMIT: Final = 2**31

T = TypeVar("T")


class MinigemEvent(msgspec.Struct, frozen=True, gc=False):
    """One event. *anon*, *session* and *exception* are as sent and must not be stored."""

    anon: str
    evt: str
    """One of EVENTS, or OTHER."""
    time_ms: int
    """Unix; the time received if the sender's is not believed."""
    os: str
    """linux, windows, macos, other or unknown."""
    ext: str
    vscode: str
    session: str
    country: str
    """ISO 3166-1 alpha-2; empty if nobody knows."""
    duration_ms: int | None
    wait_ms: int | None
    exit: int
    """0 if none was sent."""
    bucket: str
    """Empty if none was sent."""
    interactive: bool
    truncated: bool
    phase: str
    """compile, runtime or unknown."""
    exception: str


class MinigemSkips(msgspec.Struct, frozen=True, gc=False):
    """How many items of a push were skipped for one of SKIP_REASONS."""

    reason: str
    items: int


class SentDetails(msgspec.Struct, gc=False):
    """What is looked at of ``m``, as the extension sends it."""

    durationMs: int | float | None = None  # noqa: N815 - as it is sent
    waitMsTotal: int | float | None = None  # noqa: N815
    exit: int | None = None
    cumulativeBytesBucket: str | None = None  # noqa: N815
    scannerUsage: bool | None = None  # noqa: N815
    truncatedOutput: bool | None = None  # noqa: N815
    phase: str | None = None
    exceptionHash: str | None = None  # noqa: N815
    sessionId: str | None = None  # noqa: N815


class SentEvent(msgspec.Struct, gc=False):
    """One event with fields of the right types, not looked at further."""

    anon: str = ""
    evt: str = ""
    t: int | float | str | None = None
    os: str | None = None
    ext: str | None = None
    vscode: str | None = None
    sessionId: str | None = None  # noqa: N815
    m: SentDetails | None = None


_NO_DETAILS: Final = SentDetails()
_NAMES: Final = {name: name for name in EVENTS}


class EventReader:
    """Reads the events of one push."""

    __slots__ = ("_country", "_received_ms", "events", "skipped_values", "skips", "timestamps_replaced")

    def __init__(self, received_ms: int, country: str) -> None:
        self._received_ms = received_ms
        self.timestamps_replaced = 0
        self._country = country if country_known(country) else ""
        self.events: list[msgspec.Struct] = []
        self.skips: dict[str, int] = {}
        """Reason → items."""
        self.skipped_values = 0

    def skip(self, reason: str) -> None:
        """Count an item that holds no event."""
        self.skips[reason] = self.skips.get(reason, 0) + 1

    def read_item(self, item: object) -> None:
        """Take in an item of any shape: what does not fit is left out of it, and counted."""
        if not isinstance(item, dict):
            self.skip(NOT_AN_OBJECT)
        elif not isinstance(item.get("anon"), str):
            self.skip(BAD_ANON)
        elif not isinstance(item.get("evt"), str):
            self.skip(BAD_EVENT)
        elif not is_time(item.get("t")):
            self.skip(BAD_TIME)
        else:
            details, skipped_values, events = item.get("m"), self.skipped_values, len(self.events)
            self.read(
                SentEvent(
                    item["anon"],
                    item["evt"],
                    item.get("t"),
                    _text(item.get("os")),
                    _text(item.get("ext")),
                    _text(item.get("vscode")),
                    _text(item.get("sessionId")),
                    self._fitted(details) if isinstance(details, dict) else None,
                )
            )
            if len(self.events) == events:  # only values of events are counted
                self.skipped_values = skipped_values

    def _fitted(self, details: Mapping[str, object]) -> SentDetails:
        exit_code = details.get("exit")
        return SentDetails(
            self._number(details.get("durationMs")),
            self._number(details.get("waitMsTotal")),
            None if exit_code is None else self._exit_code(exit_code),
            self._one_of(str, details.get("cumulativeBytesBucket")),
            self._one_of(bool, details.get("scannerUsage")),
            self._one_of(bool, details.get("truncatedOutput")),
            self._one_of(str, details.get("phase")),
            self._one_of(str, details.get("exceptionHash")),
            self._one_of(str, details.get("sessionId")),
        )

    def _number(self, value: object) -> float | None:
        if value is None:
            return None
        number = number_of(value)
        if number is None:
            self.skipped_values += 1
        return number

    def _exit_code(self, value: object) -> int:
        number = number_of(value)
        if number is None or not -EXIT_LIMIT <= number < EXIT_LIMIT or number != int(number):
            self.skipped_values += 1
            return NO_EXIT
        return int(number)

    def _one_of(self, kind: type[T], value: object) -> T | None:
        if isinstance(value, kind):
            return value
        self.skipped_values += value is not None
        return None

    def read(self, sent: SentEvent) -> None:
        """Take in an event whose fields have the right types."""
        anon, evt = sent.anon, sent.evt
        if not 0 < len(anon) <= MAX_ID_CHARACTERS:
            self.skip(BAD_ANON)
            return
        if not evt:
            self.skip(BAD_EVENT)
            return
        time_ms = received_ms = self._received_ms
        t = sent.t
        if t is not None and t != "":  # an empty text is no time, and zero to JavaScript
            read = event_time_ms(t)
            if read is None:
                self.skip(BAD_TIME)
                return
            time_ms = believed_time_ms(read, received_ms)
            self.timestamps_replaced += time_ms != read
        name = _NAMES.get(evt, OTHER)
        details = sent.m or _NO_DETAILS
        duration, wait, exit_code = details.durationMs, details.waitMsTotal, details.exit
        bucket, phase = details.cumulativeBytesBucket, details.phase
        exception, session = details.exceptionHash or "", sent.sessionId or details.sessionId or ""
        if len(exception) > MAX_ID_CHARACTERS:
            exception = ""
            self.skipped_values += 1
        if len(session) > MAX_ID_CHARACTERS:
            session = ""
            self.skipped_values += 1
        if exit_code is None:
            exit_code = 0
        elif not -EXIT_LIMIT <= exit_code < EXIT_LIMIT:
            exit_code = NO_EXIT
            self.skipped_values += 1
        self.events.append(
            MinigemEvent(
                anon,
                name,
                time_ms,
                os_family(sent.os) if sent.os else UNKNOWN,
                version_label(sent.ext) if sent.ext else NO_VERSION,
                version_label(sent.vscode) if sent.vscode else NO_VERSION,
                session,
                self._country,
                None if duration is None else self._milliseconds(duration),
                None if wait is None else self._milliseconds(wait),
                exit_code,
                version_label(bucket) if bucket else "",
                details.scannerUsage is True,
                details.truncatedOutput is True,
                phase if phase in PHASES else UNKNOWN,
                exception,
            )
        )

    def _milliseconds(self, number: float) -> int | None:
        if 0 <= number <= MAX_DURATION_MS:
            return round(number)
        self.skipped_values += 1
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def country_known(country: str) -> bool:
    """Whether *country* can be one of ISO 3166-1; XX is what proxies say of an address that they cannot place."""
    return len(country) == 2 and country.isascii() and country.isalpha() and country != "XX"


def number_of(value: object) -> float | None:
    """A number, or one in a text; ``None`` if it is neither. Not a boolean; may be infinite or no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > MAX_TIME_CHARACTERS or "_" in value:
        return None
    try:
        return float(value)
    except ValueError:
        return None


def is_time(value: object) -> bool:
    """Whether *value* is of a type that a time can have."""
    return value is None or (isinstance(value, int | float | str) and not isinstance(value, bool))


def event_time_ms(t: float | str) -> int | None:
    """Unix milliseconds of a number or text in seconds or milliseconds, or of an ISO-8601 text; ``None``: of none."""
    number: float
    if isinstance(t, str):
        read = number_of(t)
        if read is None:
            return parse_iso8601_ms(t.strip()) if len(t) <= MAX_TIME_CHARACTERS else None
        number = read
    else:
        number = t
    if not -math.inf < number < math.inf:  # nor if it is no number
        return None
    if not -LAST_MS < number < LAST_MS:
        return 0
    return round(number * 1000 if number < FIRST_MS else number)


_VERSION: Final = re.compile(r"[0-9A-Za-z._+<>=\[\]-]+")


def version_label(text: str) -> str:
    """*text* cut to 30 characters with addresses masked; OTHER if it does not look like a version or a range."""
    return _version_label(text[:MAX_LOOKED_AT])


@lru_cache(maxsize=4096)
def _version_label(text: str) -> str:
    shown = mask_text(text.strip())[:MAX_LABEL_CHARACTERS]
    if not shown:
        return NO_VERSION
    return shown if _VERSION.fullmatch(shown) else OTHER


def os_family(text: str) -> str:
    """The family of systems that *text* names: ``linux-x64`` → ``linux``."""
    return _os_family(text[:MAX_LABEL_CHARACTERS])


@lru_cache(maxsize=1024)
def _os_family(text: str) -> str:
    name = text.strip().lower()
    if not name or name == UNKNOWN:
        return UNKNOWN
    if any(word in name for word in ("darwin", "mac", "osx", "os x")):
        return "macos"
    if "win" in name:
        return "windows"
    if any(word in name for word in ("linux", "ubuntu", "debian", "fedora")):
        return "linux"
    return OTHER
