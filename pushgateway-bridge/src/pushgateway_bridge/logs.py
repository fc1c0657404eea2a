"""How a line of the log looks: time, level, logger, message, then what the call passed as ``extra``."""

from __future__ import annotations

import logging
from typing import Final

LINE: Final = "%(asctime)s level=%(level)s logger=%(name)s %(message)s"
_STANDARD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class LineFormatter(logging.Formatter):
    """``2026-02-01 08:00:10,512 level=info logger=… message key='value'``"""

    def __init__(self) -> None:
        super().__init__(LINE)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as its base class names it
        extras = [(name, value) for name, value in vars(record).items() if name not in _STANDARD_FIELDS]
        values = {**vars(record), "level": record.levelname.lower()}
        return " ".join([LINE % values, *(f"{name}={value!r}" for name, value in extras)])


def configure(level: str) -> None:
    """One line an event on standard error, from *level* on."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
