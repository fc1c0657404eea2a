"""Runs the load generator's process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from bench.load import BEGUN, Plan, Result

CHECKOUT = Path(__file__).parents[1]
END_SECONDS = 10.0


class LoadFailed(Exception):
    """The load generator ended without a result; ``str(error)`` is what it said."""


class Running:
    """A load generator that is measuring."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors

    def read_line(self) -> bytes:
        """Wait for its next line; it bounds its own time. Raises LoadFailed if it ends instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(END_SECONDS)
            self._errors.seek(0)
            raise LoadFailed(self._errors.read().decode(errors="replace").strip()[-1000:])
        return line

    def result(self) -> Result:
        """Wait for it. Raises LoadFailed."""
        return msgspec.json.decode(self.read_line(), type=Result)


@contextlib.contextmanager
def running(plan: Plan) -> Iterator[Running]:
    """A load generator, from the moment that it measures. Raises LoadFailed if it does not come that far."""
    command = [sys.executable, "-m", "bench.load"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=CHECKOUT
        ) as process,
    ):
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(plan))
            process.stdin.close()
            load = Running(process, errors)
            begun = load.read_line()
            assert begun.decode().strip() == BEGUN, begun
            yield load
        finally:
            process.kill()


def run(plan: Plan) -> Result:
    """Run *plan* to its end. Raises LoadFailed."""
    with running(plan) as load:
        return load.result()
