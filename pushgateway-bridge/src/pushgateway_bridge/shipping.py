"""The process that ships: ``python -m pushgateway_bridge.shipping``, started by the bridge and ended with it.

A process of its own, as encoding and sending would take the interpreter's lock from the pushes
(docs/decisions/0006-shipping-in-a-process-of-its-own.md). It reads the journal's file beside the writer and tells
the bridge how far each remote is; the bridge writes the cursors.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import apsw
import urllib3

from pushgateway_bridge import logs
from pushgateway_bridge.journal.reader import JournalReader
from pushgateway_bridge.journal.record import CorruptRecord, decode_change, unpack_frame
from pushgateway_bridge.model.change import Change, Push
from pushgateway_bridge.remote_write.client import Client
from pushgateway_bridge.remote_write.messages import (
    LENGTH,
    Progress,
    Setup,
    Skip,
    ToShipper,
    decode_to_shipper,
    framed,
)
from pushgateway_bridge.remote_write.names import Names
from pushgateway_bridge.remote_write.shipper import NO_END, Changes, Shipper
from pushgateway_bridge.state.checkpoint import decode_group
from pushgateway_bridge.state.removal import decode_removal

logger = logging.getLogger(__name__)

STOP_SECONDS = 5.0
"""How long a request under way may take when the bridge stops."""
NICENESS = 5
"""What is pushed goes before what is sent, where there is not CPU enough for both: the journal can wait."""


class JournalSource:
    """The journal's file as a shipper's source; for one thread, with names shared by all."""

    def __init__(self, file: Path, names: Names) -> None:
        self._reader = JournalReader(file)
        self._names = names

    def read(self, after: int, through: int, samples: int) -> Iterator[Changes]:
        for position, written_ms, _samples, body in self._reader.frames(after, through, samples):
            yield Changes(position, written_ms, read_changes(position, body))

    def newest_position(self) -> int:
        return self._reader.newest_position()

    def learn_names(self) -> None:
        """From removals, the checkpoint, and every record that it does not cover.

        As of one moment: what an expiry moves from one to the other must not be missed in both.
        """
        with self._reader.snapshot():
            self._learn_names()

    def _learn_names(self) -> None:
        for group_id, body in self._reader.removals():
            try:
                removal = decode_removal(body)
            except ValueError as error:
                logger.error("removal unreadable group=%d error=%r", group_id, str(error))
            else:
                self._names.define(group_id, removal.group, removal.definitions)
        for group_id, body in self._reader.checkpoint_rows():
            try:
                group, definitions = decode_group(body)
            except ValueError as error:
                logger.error("checkpoint unreadable group=%d error=%r", group_id, str(error))
            else:
                self._names.define(group_id, group, definitions)
        after = self._reader.floor()
        while frames := self._reader.frames(after, NO_END, 100_000):
            for position, _, _, body in frames:
                for change in read_changes(position, body):
                    if isinstance(change, Push):
                        for one in change.groups:
                            if one.definitions or one.group is not None:
                                self._names.define(one.group_id, one.group, one.definitions)
                after = position


def read_changes(position: int, body: bytes) -> list[Change]:
    """What a frame holds; without what cannot be read, which is logged."""
    changes: list[Change] = []
    try:
        changes.extend(decode_change(record) for record in unpack_frame(body))
    except CorruptRecord as error:
        logger.error("journal frame unreadable position=%d error=%r", position, str(error))
    return changes


class Shippers:
    """A thread for each remote."""

    def __init__(self, setup: Setup, report: BinaryIO) -> None:
        self._report_to = report
        self._lock = threading.Lock()
        self._names = Names(setup.external_labels)
        self._positions = dict(setup.cursors)
        self._shippers: dict[str, Shipper] = {}
        self._threads: list[threading.Thread] = []
        file = Path(setup.journal)
        for remote in setup.remotes:
            source = JournalSource(file, self._names)
            if not self._threads:
                source.learn_names()
            shipper = Shipper(
                remote.name,
                setup.cursors[remote.name],
                source,
                Client(remote, setup.version),
                self._names,
                self._report,
                max_samples=remote.max_samples_per_request,
                late_samples=remote.late_samples,
            )
            self._shippers[remote.name] = shipper
            self._threads.append(
                threading.Thread(target=self._run, args=(shipper,), name=f"remote-{remote.name}", daemon=True)
            )

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _run(shipper: Shipper) -> None:
        try:
            shipper.run()
        except BaseException:  # the top of a thread: the bridge starts this process anew
            logger.exception("shipper failed")
            os._exit(1)

    def _report(self, progress: Progress) -> None:
        with self._lock:
            self._positions[progress.remote] = progress.position
            self._names.forget_through(min(self._positions.values()))
            try:
                self._report_to.write(framed(progress))
                self._report_to.flush()
            except BrokenPipeError:
                pass  # the bridge is gone, and standard input says so too

    def obey(self, message: ToShipper) -> None:
        """Do what the bridge says."""
        if isinstance(message, Skip):
            self._shippers[message.remote].skip(message.position)
        else:
            for shipper in self._shippers.values():
                shipper.wake()

    def stop(self) -> None:
        """End the threads, which may finish a request."""
        for shipper in self._shippers.values():
            shipper.stop()
        for thread in self._threads:
            thread.join(STOP_SECONDS / len(self._threads))


def read_message(pipe: BinaryIO) -> ToShipper | None:
    """The next message; ``None`` when the bridge has closed the pipe."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = pipe.read(length)
    return decode_to_shipper.decode(body) if len(body) == length else None


def main() -> int:
    """Ship until standard input ends; return the exit code."""
    # The bridge decides when it is over, also where a terminal's Ctrl-C reaches both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    setup = read_message(sys.stdin.buffer)
    if not isinstance(setup, Setup):
        print("this is a part of pushgateway-bridge, which starts it by itself", file=sys.stderr)  # noqa: T201
        return 2
    logs.configure(setup.log_level)
    logging.getLogger("urllib3").setLevel("ERROR")
    urllib3.disable_warnings()  # whoever sets insecure_skip_verify knows
    try:
        shippers = Shippers(setup, sys.stdout.buffer)
    except apsw.Error as error:
        logger.error("journal unreadable file=%s error=%r", setup.journal, str(error))
        return 1
    with contextlib.suppress(OSError, AttributeError):  # not everywhere allowed, or there
        os.nice(NICENESS)
    shippers.start()
    while (message := read_message(sys.stdin.buffer)) is not None:
        shippers.obey(message)
    shippers.stop()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # a request that hangs keeps nobody waiting
