from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from host_exporter import paths as paths_module
from host_exporter.paths import HostPaths


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/self").mkdir()
    (tmp_path / "sys").mkdir()
    return tmp_path


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_file_kept_open_is_read_anew_each_time(tree: Path, open_host: Callable[..., HostPaths]) -> None:
    paths = open_host(tree)
    (tree / "proc/loadavg").write_text("1")
    assert paths.read("loadavg") == "1"
    files = open_files()

    (tree / "proc/loadavg").write_text("22")

    assert paths.read("loadavg") == "22"
    assert open_files() == files


def test_a_file_longer_than_one_read_comes_whole(tree: Path, open_host: Callable[..., HostPaths]) -> None:
    text = "line of a long file\n" * 10_000
    (tree / "proc/diskstats").write_text(text)

    assert open_host(tree).read("diskstats") == text


def test_a_missing_file_is_named(tree: Path, open_host: Callable[..., HostPaths]) -> None:
    with pytest.raises(FileNotFoundError, match="proc/loadavg"):
        open_host(tree).read("loadavg")


def test_what_opens_but_cannot_be_read_does_not_stay_open(
    tree: Path, open_host: Callable[..., HostPaths]
) -> None:
    paths = open_host(tree)
    before = open_files()

    with pytest.raises(IsADirectoryError):
        paths.read("1")

    assert open_files() == before


def test_a_file_that_can_no_longer_be_read_is_opened_again(
    tree: Path, open_host: Callable[..., HostPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What sysfs does when a device goes: the open file answers ENODEV, a new one of that name works."""
    paths = open_host(tree)
    (tree / "sys/speed").write_text("10")
    paths.read_sys("speed")
    gone = paths._open_files[str(tree / "sys/speed")]
    pread = os.pread

    def dead_device(file: int, size: int, offset: int) -> bytes:
        if file == gone:
            monkeypatch.setattr(os, "pread", pread)
            raise OSError(19, "No such device")
        return pread(file, size, offset)

    monkeypatch.setattr(os, "pread", dead_device)

    assert paths.read_sys("speed") == "10"


def test_no_more_files_stay_open_than_the_limit(
    tree: Path, open_host: Callable[..., HostPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths_module, "MAX_OPEN_FILES", 3)
    paths = open_host(tree)
    before = open_files()

    for number in range(10):
        (tree / f"sys/{number}").write_text(str(number))
        assert paths.read_sys(str(number)) == str(number)
        assert open_files() <= before + 3


def test_closing_closes_every_file(tree: Path) -> None:
    (tree / "proc/stat").write_text("x")
    before = open_files()

    with HostPaths(str(tree / "proc"), str(tree / "sys"), str(tree)) as paths:
        paths.read("stat")
        assert open_files() == before + 1

    assert open_files() == before


def test_the_network_is_that_of_process_1_where_procfs_is_mounted_elsewhere(
    tree: Path, open_host: Callable[..., HostPaths]
) -> None:
    """In a container ``/host/proc/net`` leads to the container's own network."""
    (tree / "proc/net").mkdir()
    (tree / "proc/net/dev").write_text("the container's")
    (tree / "proc/1/net").mkdir()
    (tree / "proc/1/net/dev").write_text("the host's")

    assert open_host(tree).read_network("dev") == "the host's"


@pytest.mark.parametrize("refusal", [PermissionError, FileNotFoundError])
def test_mounts_are_this_processes_own_where_those_of_process_1_cannot_be_read(
    tree: Path,
    open_host: Callable[..., HostPaths],
    monkeypatch: pytest.MonkeyPatch,
    refusal: type[OSError],
) -> None:
    (tree / "proc/1/mountinfo").write_text("of process 1")
    (tree / "proc/self/mountinfo").write_text("its own")
    real_open = os.open

    def refuse(path: str, flags: int) -> int:
        if path.endswith("1/mountinfo"):
            raise refusal(path)
        return real_open(path, flags)

    monkeypatch.setattr(os, "open", refuse)

    assert open_host(tree).read_mountinfo() == "its own"


def test_bytes_that_are_not_text_survive(tree: Path, open_host: Callable[..., HostPaths]) -> None:
    (tree / "proc/1/mountinfo").write_bytes(b"/caf\xe9")

    assert os.fsencode(open_host(tree).read_mountinfo()) == b"/caf\xe9"


def test_a_device_that_took_another_ones_name_is_opened_anew(
    tree: Path, open_host: Callable[..., HostPaths]
) -> None:
    for name, mtu in (("eth0", "1500"), ("eth1", "9000")):
        (tree / "sys/net" / name).mkdir(parents=True)
        (tree / "sys/net" / name / "mtu").write_text(mtu)
    paths = open_host(tree)
    assert [paths.read_sys(f"net/{name}/mtu") for name in paths.names_sys("net")] == ["1500", "9000"]

    (tree / "sys/net/eth0").rename(tree / "sys/net/other")
    (tree / "sys/net/eth1").rename(tree / "sys/net/eth0")
    (tree / "sys/net/other").rename(tree / "sys/net/eth1")

    assert [paths.read_sys(f"net/{name}/mtu") for name in paths.names_sys("net")] == ["9000", "1500"]


def test_a_file_that_has_no_value_now_stays_open(
    tree: Path, open_host: Callable[..., HostPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "sys/speed").write_text("10")
    paths = open_host(tree)
    paths.read_sys("speed")
    before = open_files()

    def link_is_down(file: int, size: int, offset: int) -> bytes:
        raise OSError(22, "Invalid argument")

    with monkeypatch.context() as down:
        down.setattr(os, "pread", link_is_down)
        with pytest.raises(OSError, match="Invalid argument"):
            paths.read_sys("speed")

    assert open_files() == before
    assert paths.read_sys("speed") == "10"


def test_the_mounts_of_the_real_kernel_are_those_that_it_tells() -> None:
    with HostPaths() as paths:
        assert [paths.read_mountinfo() for _ in range(2)] == [Path("/proc/1/mountinfo").read_text()] * 2


def test_a_copied_mount_table_is_read_each_time(tree: Path, open_host: Callable[..., HostPaths]) -> None:
    table = tree / "proc/self/mountinfo"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text("1 one")
    paths = open_host(tree)
    assert paths.read_mountinfo() == "1 one"

    table.write_text("2 two")

    assert paths.read_mountinfo() == "2 two"


@pytest.mark.parametrize("size", [0, 1, 3000, 4095, 4096, 40_000])
def test_a_file_is_read_to_its_end_whatever_its_size(
    tree: Path, open_host: Callable[..., HostPaths], size: int
) -> None:
    (tree / "proc/1/net").mkdir(parents=True)
    (tree / "proc/1/net/udp").write_text("x" * size)

    assert open_host(tree).read_network("udp", 128) == "x" * size
