from __future__ import annotations

import os
import threading
import time

from host_exporter.probe import MAX_HANGING, TIMED_OUT, MountProbe, Space

CALL_LIMIT_SECONDS = 0.05
SPACE = os.statvfs_result((4096, 4096, 10, 5, 4, 100, 50, 50, 0, 255))


class Mounts:
    """Mounts of which some hang until they are released."""

    def __init__(self, *hanging: str) -> None:
        self.hanging = set(hanging)
        self.released = threading.Event()
        self.asked: list[str] = []

    def statvfs(self, path: str) -> os.statvfs_result:
        self.asked.append(path)
        if path in self.hanging:
            self.released.wait()
        if path == "/missing":
            raise FileNotFoundError(2, "No such file or directory", path)
        return SPACE


def shown(answers: list[Space]) -> list[str]:
    return [str(answer) if isinstance(answer, OSError) else "ok" for answer in answers]


def test_answers_and_errors_stand_in_the_order_of_the_mounts() -> None:
    probe = MountProbe(Mounts().statvfs)

    answers = probe.ask(["/a", "/missing", "/b"])

    assert shown(answers) == ["ok", "[Errno 2] No such file or directory: '/missing'", "ok"]
    probe.close()


def test_a_path_that_is_mounted_twice_is_asked_once_and_answered_twice() -> None:
    mounts = Mounts()
    probe = MountProbe(mounts.statvfs)

    assert shown(probe.ask(["/a", "/a", "/b"])) == ["ok", "ok", "ok"]
    assert mounts.asked == ["/a", "/b"]
    probe.close()


def test_nothing_to_ask_is_no_answer() -> None:
    assert MountProbe(Mounts().statvfs).ask([]) == []


def test_a_mount_that_hangs_costs_no_other_its_answer_and_is_not_asked_again() -> None:
    mounts = Mounts("/dead")
    probe = MountProbe(mounts.statvfs, CALL_LIMIT_SECONDS)

    first = probe.ask(["/a", "/dead", "/b"])
    second = probe.ask(["/a", "/dead", "/b"])

    assert shown(first) == shown(second) == ["ok", TIMED_OUT, "ok"]
    assert mounts.asked == ["/a", "/dead", "/b", "/a", "/b"]
    mounts.released.set()
    probe.close()


def test_a_mount_that_comes_back_is_asked_again() -> None:
    mounts = Mounts("/dead")
    probe = MountProbe(mounts.statvfs, CALL_LIMIT_SECONDS)
    probe.ask(["/dead"])

    mounts.released.set()
    deadline = time.monotonic() + 5
    while shown(probe.ask(["/dead"])) != ["ok"]:
        assert time.monotonic() < deadline
    probe.close()


def test_while_too_many_hang_no_thread_is_risked() -> None:
    names = [f"/dead{number}" for number in range(MAX_HANGING + 2)]
    mounts = Mounts(*names)
    probe = MountProbe(mounts.statvfs, CALL_LIMIT_SECONDS)
    threads = threading.active_count()

    first = probe.ask([*names, "/a"])
    second = probe.ask(["/a"])

    assert shown(first) == [TIMED_OUT] * (len(names) + 1)
    assert shown(second) == [TIMED_OUT]
    assert mounts.asked == names[:MAX_HANGING]
    assert threading.active_count() <= threads + MAX_HANGING
    mounts.released.set()
