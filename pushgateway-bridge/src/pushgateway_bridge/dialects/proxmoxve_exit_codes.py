"""What the exit codes of ProxmoxVE's scripts mean: a category and a text for each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CATEGORIES: Final = frozenset(
    {
        *("network", "storage", "dependency", "permission", "timeout", "config", "resource", "unknown"),
        *("user_aborted", "apt", "command_not_found", "service", "database", "signal", "proxmox", "shell"),
        *("build", "preflight", "runtime"),
    }
)
"""All that a client may name."""
UNKNOWN: Final = "unknown"

_CODES: Final[Mapping[str, tuple[int | tuple[int, int], ...]]] = {
    "network": (
        *((4, 8), 16, 18, 22, 25, 30, (32, 36), 47, 51, 52, 55, 56, 59, 68, 75, 76, 78),
        *(92, 95, 115, 121, 123, 250),
    ),
    "storage": (23, 24, 26, 73, 74, 119, 120, 214, 217, 219, 224, 235, 251),
    "timeout": (28, 118, 124, 211),
    "apt": ((100, 102), 255),
    "dependency": ((160, 162), 237, 239),
    "permission": (77, 126, 152),
    "config": (10, 64, 112, 116, 125, (203, 208), 232, 233, 236, 238, 245, 253),
    "resource": (27, 137, 243),
    "service": (69, 150, 151),
    "build": (153, 154),
    "database": ((170, 173), (180, 183), (190, 193)),
    "proxmox": (*((109, 111), 117, 200, 209, 210, 212, 213, 215, 216, 218, (220, 223), 225, 226, 231, 234),),
    "preflight": ((103, 108),),
    "user_aborted": (113, 114, 122, 129, 130, 254),
    "command_not_found": (127,),
    "signal": (128, 131, 132, 134, 141, 143, 144, 146),
    UNKNOWN: ((1, 3), (65, 67), (70, 72), 139, (246, 249), 252),
}
"""Category → its codes, and (first, last) of those in a row."""


def _categories() -> tuple[str, ...]:
    """The category of each code from 0 to 255."""
    table = [UNKNOWN] * 256
    table[129:192] = ["signal"] * 63
    for category, codes in _CODES.items():
        for code in codes:
            first, last = (code, code) if isinstance(code, int) else code
            table[first : last + 1] = [category] * (last + 1 - first)
    return tuple(table)


CATEGORY_OF: Final = _categories()
"""The category of each exit code."""

_KNOWN_TEXTS: Final[Mapping[int, str]] = {
    0: "Success",
    1: "General error",
    2: "Misuse of a shell builtin",
    3: "Syntax or argument error",
    4: "A feature of curl is missing, or the server sent nothing usable",
    5: "The proxy could not be resolved",
    6: "The host could not be resolved",
    7: "The connection failed: refused, or the host is down",
    8: "The server's reply was not understood",
    10: "Docker or a privileged mode is needed",
    16: "HTTP/2 framing error",
    18: "The transfer ended early",
    22: "The HTTP server answered with an error",
    23: "The download could not be written",
    24: "The file could not be opened or read",
    25: "The upload failed",
    26: "A local file could not be read",
    27: "Out of memory",
    28: "The operation timed out",
    30: "The FTP port command failed",
    35: "The TLS handshake failed",
    36: "The download could not be resumed",
    47: "Too many redirects",
    51: "The server's certificate does not fit",
    52: "The server answered with nothing",
    55: "Sending over the network failed",
    56: "Receiving over the network failed",
    59: "The TLS cipher could not be used",
    64: "Usage error",
    65: "Malformed input",
    66: "The input cannot be opened",
    67: "The user is unknown",
    68: "The host is unknown",
    69: "The service is unavailable",
    70: "Internal software error",
    71: "System error",
    72: "A system file is missing",
    73: "The output cannot be created",
    74: "Input or output error",
    75: "Temporary failure",
    76: "Protocol error",
    77: "Permission denied",
    78: "The remote file was not found",
    92: "HTTP/2 stream error",
    95: "HTTP/3 error",
    100: "apt: package manager error",
    101: "apt: unmet dependencies",
    102: "apt: the lock is held",
    113: "Aborted by the user",
    114: "Aborted by the user",
    122: "Aborted by the user",
    124: "The command timed out",
    125: "The command could not be started",
    126: "The command cannot be executed",
    127: "Command not found",
    128: "Invalid exit argument",
    129: "Hung up (SIGHUP)",
    130: "Interrupted (SIGINT)",
    131: "Quit (SIGQUIT)",
    132: "Illegal instruction (SIGILL)",
    134: "Aborted (SIGABRT)",
    137: "Killed, often out of memory (SIGKILL)",
    139: "Segmentation fault (SIGSEGV)",
    141: "Broken pipe (SIGPIPE)",
    143: "Terminated (SIGTERM)",
    144: "Killed by signal 16",
    146: "Killed by signal 18 (SIGTSTP)",
    209: "The container could not be created",
    243: "Out of memory in Node.js",
    254: "Cancelled by the user",
    255: "dpkg or a remote command failed",
}
_CATEGORY_TEXTS: Final[Mapping[str, str]] = {
    "network": "Network error",
    "storage": "Storage error",
    "timeout": "Timeout",
    "apt": "apt or dpkg error",
    "dependency": "Missing dependency",
    "permission": "Permission error",
    "config": "Configuration error",
    "resource": "Out of resources",
    "service": "Service error",
    "build": "Build error",
    "database": "Database error",
    "proxmox": "Proxmox VE error",
    "preflight": "A check before the installation failed",
    "user_aborted": "Aborted by the user",
    "command_not_found": "Command not found",
    "signal": "Ended by a signal",
    UNKNOWN: "Unknown error",
}


def describe(exit_code: int) -> str:
    """A text for *exit_code*, from 0 to 255."""
    return _KNOWN_TEXTS.get(exit_code) or _CATEGORY_TEXTS[CATEGORY_OF[exit_code]]


EXIT_CODES: Final[Mapping[str, str]] = {
    str(code): describe(code)
    for code in range(256)
    if code in _KNOWN_TEXTS or CATEGORY_OF[code] not in (UNKNOWN, "signal")
}
"""What ``/api/exit-codes`` answers: all codes of which anything is known."""
