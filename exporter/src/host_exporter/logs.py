"""How log lines look: one line per event, as key=value or as JSON."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
_PLAIN = re.compile(r"[^\s\"=\\]+")


class EventFormatter(logging.Formatter):
    """Time, level and message, then what the call passed as ``extra``."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self._line = _json_line if style == "json" else _logfmt_line

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the values hold."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS},
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return self._line(fields)


def configure(level: str, style: str) -> None:
    """Log to stderr. The server's own life-cycle lines are left out: ours say the same."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter(style))
    logging.basicConfig(handlers=[handler], level=LEVELS[level], force=True)
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, LEVELS[level]))


def _json_line(fields: dict[str, Any]) -> str:
    return json.dumps(fields, default=str)


def _logfmt_line(fields: dict[str, Any]) -> str:
    return " ".join(f"{name}={_quoted(str(value))}" for name, value in fields.items())


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
