"""What an installer's end was: its status after all corrections, its category, its pattern. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pushgateway_bridge.dialects.proxmoxve_exit_codes import CATEGORY_OF, UNKNOWN, describe

OTHER: Final = "other"
USER_ABORTED: Final = "user_aborted"

_ABORT_PHRASES: Final = (
    "sigint",
    "sighup",
    "ctrl+c",
    "ctrl-c",
    "aborted by user",
    "user abort",
    "cancelled by user",
    "no changes have been made",
)
_ABORT_CODES: Final = (129, 130)

# First match wins, so that a download that timed out is a matter of the network.
_CATEGORY_PHRASES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "resource",
        (
            *("out of memory", "cannot allocate memory", "heap limit", "oom-kill", "oom killer"),
            *("memory exhausted", "memory exhaustion", "killed process"),
        ),
    ),
    (
        "storage",
        (
            "no space left",
            "disk full",
            "disk quota",
            "quota exceeded",
            "write error",
            "read-only file system",
        ),
    ),
    (
        "network",
        (
            *("could not resolve", "couldn't resolve", "temporary failure in name resolution"),
            *("temporary failure resolving", "name or service not known", "failed to resolve"),
            *("unable to resolve", "connection refused", "connection reset", "connection timed out"),
            *("connection failed", "could not connect", "failed to connect", "unreachable"),
            *(
                "no route to host",
                "tls handshake",
                "tls connect",
                "tls alert",
                "tls error",
                "gnutls",
                "tlsv1",
            ),
            *("ssl handshake", "ssl connect", "ssl error", "ssl_error", "ssl certificate", "ssl:"),
            *("certificate verif", "certificate has expired", "handshake fail", "curl:", "wget:"),
        ),
    ),
    (
        "permission",
        ("permission denied", "eacces", "must be root", "must be run as root", "operation not permitted"),
    ),
    (
        "apt",
        (
            *("unable to locate package", "unmet dependencies", "dpkg:", "dpkg was interrupted"),
            *("dpkg returned", "could not get lock", "apt-get", "apt update", "apt install"),
            *(
                "held broken packages",
                "has no installation candidate",
                "failed to fetch",
                "hash sum mismatch",
            ),
        ),
    ),
    ("command_not_found", ("command not found",)),
    ("timeout", ("timed out", "timeout")),
    ("database", ("prisma", "migration", "sqlite")),
)

_PATTERN_PHRASES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("connection refused", "connection refused"),
        ("timeout", "time(?:out|d out)"),
        ("disk full", "no space left|disk full"),
        ("permission denied", "permission denied"),
        ("not found", "not found"),
        ("apt", r"\bapt(?:-get)?\b"),
        ("dpkg", "dpkg"),
        ("network", "network|curl|wget"),
        ("docker", "docker"),
        ("systemd", "systemd|systemctl"),
    )
)
ERROR_PATTERNS: Final = tuple(name for name, _ in _PATTERN_PHRASES)


class Ending(NamedTuple):
    """How an execution ended."""

    status: str
    exit_code: int | None
    error: str
    category: str
    pattern: str = ""
    """Of a failure."""


def classify(
    event_type: str, status: str, exit_code: int | None, error: str, category: str, *, zero_is_success: bool
) -> Ending:
    """The ending as it counts, of what a client says.

    *zero_is_success*: whether ``failed`` with exit code 0 is a success, as for all that send one.
    """
    if status == "aborted":
        return Ending(status, exit_code, error, category or USER_ABORTED)
    if status != "failed":
        return Ending(status, exit_code, error, category)
    if (exit_code == 0 and zero_is_success) or event_type in ("addon", "pve"):
        return Ending("success", 0, "", "")
    text = error.lower()
    if exit_code in _ABORT_CODES or _has_one(text, _ABORT_PHRASES):
        aborted = USER_ABORTED if category in ("", UNKNOWN) else category
        return Ending("aborted", exit_code, error, aborted)
    known = CATEGORY_OF[exit_code] if exit_code else UNKNOWN
    if known == UNKNOWN:
        known = _category_of_text(text)
    if known == UNKNOWN:
        known = category or UNKNOWN
    if not error and exit_code:
        error = f"exit code {exit_code}: {describe(exit_code)}"
        text = error.lower()
    return Ending(status, exit_code, error, known, pattern_of(text))


def _category_of_text(text: str) -> str:
    for category, phrases in _CATEGORY_PHRASES:
        if _has_one(text, phrases):
            return category
    return UNKNOWN


def _has_one(text: str, phrases: tuple[str, ...]) -> bool:
    # A plain loop: half of what ``any`` over a generator costs, for some sixty phrases of a failure.
    for phrase in phrases:  # noqa: SIM110
        if phrase in text:
            return True
    return False


def pattern_of(text: str) -> str:
    """Which of ERROR_PATTERNS the lower-cased *text* shows first, or ``other``."""
    for name, pattern in _PATTERN_PHRASES:
        if pattern.search(text):
            return name
    return OTHER
