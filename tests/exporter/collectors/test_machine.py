"""What the host is: its distribution, its board and firmware, SELinux, watchdogs."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_exporter.collector import Collector, NoDataError
from host_exporter.collectors import dmi, selinux, watchdog
from host_exporter.collectors import os as os_collector
from host_exporter.paths import HostPaths
from host_exporter.render import TEXT, Renderer


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", errors="surrogateescape")


def host(folder: Path) -> HostPaths:
    return HostPaths(str(folder / "proc"), str(folder / "sys"), str(folder / "rootfs"))


def lines(collector: Collector, folder: Path) -> list[str]:
    """The series that a fresh collector yields there, as text."""
    with host(folder) as paths:
        text = Renderer(TEXT).render(collector.made("it")(paths))
    return [line for line in text.splitlines() if not line.startswith("#")]


FEDORA = """\
NAME="Fedora Linux"
VERSION="40 (Server Edition)"
ID=fedora
VERSION_ID=40
VERSION_CODENAME=""
PRETTY_NAME="Fedora Linux 40 (Server Edition)"
VARIANT="Server Edition"
VARIANT_ID=server
SUPPORT_END=2025-05-13
HOME_URL="https://fedoraproject.org/"
"""


def test_the_distribution_tells_its_name_version_and_end(tmp_path: Path) -> None:
    write(tmp_path, {"rootfs/usr/lib/os-release": FEDORA})

    assert lines(os_collector.COLLECTOR, tmp_path) == [
        'node_os_info{build_id="",id="fedora",id_like="",image_id="",image_version="",name="Fedora Linux",'
        'pretty_name="Fedora Linux 40 (Server Edition)",variant="Server Edition",variant_id="server",'
        'version="40 (Server Edition)",version_codename="",version_id="40"} 1',
        'node_os_version{id="fedora",id_like="",name="Fedora Linux"} 40.0',
        "node_os_support_end_timestamp_seconds 1747094400.0",
    ]


@pytest.mark.parametrize(
    ("version_id", "numbers"),
    [("20.04", ["20.04"]), ("3.19.1", ["3.19"]), ("12.", ["12.0"]), ("rolling", []), ("", [])],
)
def test_the_version_is_major_and_minor_where_there_are_such(
    tmp_path: Path, version_id: str, numbers: list[str]
) -> None:
    write(tmp_path, {"rootfs/etc/os-release": f"ID=x\nVERSION_ID={version_id}\n"})

    shown = lines(os_collector.COLLECTOR, tmp_path)[1:]

    assert [line.split()[-1] for line in shown] == numbers


def test_an_upgrade_of_the_host_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, {"rootfs/etc/os-release": "VERSION_ID=11\n", "new": "VERSION_ID=12\n"})
    collect = os_collector.COLLECTOR.made("os")
    with host(tmp_path) as paths:
        list(collect(paths))
        (tmp_path / "new").rename(tmp_path / "rootfs/etc/os-release")

        assert (os_collector.VERSION, ("", "", ""), 12.0) in list(collect(paths))


def test_etc_wins_over_usr_lib(tmp_path: Path) -> None:
    write(
        tmp_path, {"rootfs/etc/os-release": "VERSION_ID=1\n", "rootfs/usr/lib/os-release": "VERSION_ID=2\n"}
    )

    assert lines(os_collector.COLLECTOR, tmp_path)[1:] == ['node_os_version{id="",id_like="",name=""} 1.0']


def test_an_end_that_is_no_day_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"rootfs/etc/os-release": "SUPPORT_END=soon\n"})

    with pytest.raises(ValueError, match="'soon'"):
        lines(os_collector.COLLECTOR, tmp_path)


@pytest.mark.parametrize("collector", [os_collector.COLLECTOR, dmi.COLLECTOR, watchdog.COLLECTOR])
def test_a_host_without_the_source_has_no_data(tmp_path: Path, collector: Collector) -> None:
    with pytest.raises(NoDataError):
        lines(collector, tmp_path)


DMI = "sys/class/dmi/id"


def test_firmware_shows_what_it_tells_and_no_other_label(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"{DMI}/sys_vendor": "Caf\udce9\udce9 Inc. \n",
            f"{DMI}/bios_date": "\n",
            f"{DMI}/chassis_type": "9\n",
            f"{DMI}/modalias": "dmi:bvn\n",
            f"{DMI}/power/control": "auto\n",
        },
    )

    assert lines(dmi.COLLECTOR, tmp_path) == [
        'node_dmi_info{bios_date="",system_vendor="Caf\N{REPLACEMENT CHARACTER} Inc."} 1'
    ]


def test_firmware_that_tells_everything_has_the_declared_family(tmp_path: Path) -> None:
    files = [label.replace("system_vendor", "sys_vendor") for label in dmi.INFO.labels]
    write(tmp_path, {f"{DMI}/{file}": f"{file}\n" for file in files})
    with host(tmp_path) as paths:
        assert list(dmi.COLLECTOR.made("dmi")(paths)) == [(dmi.INFO, tuple(files), 1)]


def test_firmware_is_asked_until_it_answers_and_then_no_more(tmp_path: Path) -> None:
    collect = dmi.COLLECTOR.made("dmi")
    with host(tmp_path) as paths:
        with pytest.raises(NoDataError, match="does not tell"):
            list(collect(paths))
        write(tmp_path, {f"{DMI}/bios_vendor": "A\n"})
        ((family, labels, _),) = collect(paths)
        write(tmp_path, {f"{DMI}/bios_vendor": "B\n"})

        assert list(collect(paths)) == [(family, labels, 1)] == [(family, ("A",), 1)]


class NotRoot(HostPaths):
    """A host of which only root may read the serial numbers, as it is in sysfs."""

    def read_sys(self, name: str) -> str:
        """What the file says, if it may be read."""
        if name.endswith("_serial"):
            raise PermissionError(13, "Permission denied", name)
        return super().read_sys(name)


@pytest.mark.parametrize("vendor", [True, False], ids=["something is left", "nothing is left"])
def test_serial_numbers_that_only_root_may_read_are_left_out(tmp_path: Path, vendor: bool) -> None:
    write(tmp_path, {f"{DMI}/board_serial": "123\n"} | ({f"{DMI}/board_vendor": "A\n"} if vendor else {}))
    with NotRoot(sysfs=str(tmp_path / "sys")) as paths:
        collect = dmi.COLLECTOR.made("dmi")
        if not vendor:
            with pytest.raises(NoDataError, match="nothing in class/dmi/id can be read"):
                list(collect(paths))
            return
        ((family, labels, _),) = collect(paths)

    assert (family.labels, labels) == (("board_vendor",), ("A",))


def test_a_host_without_selinux_says_so(tmp_path: Path) -> None:
    assert lines(selinux.COLLECTOR, tmp_path) == ["node_selinux_enabled 0"]


@pytest.mark.parametrize(
    ("enforce", "config", "config_mode", "current_mode"),
    [
        ("1", "# c\nSELINUX=enforcing\nSELINUXTYPE=targeted\n", 1, 1),
        ("0", 'SELINUXTYPE=targeted\nSELINUX="permissive"\n', 0, 0),
        ("1", "SELINUX=disabled\n", -1, 1),
        ("0", "SELINUXTYPE=targeted\n", -1, 0),
        ("1", None, -1, 1),
        ("", "SELINUX=enforcing\n", 1, -1),
    ],
)
def test_selinux_shows_what_is_configured_and_what_is_done(
    tmp_path: Path, enforce: str, config: str | None, config_mode: int, current_mode: int
) -> None:
    write(tmp_path, {"sys/fs/selinux/enforce": enforce})
    if config is not None:
        write(tmp_path, {"rootfs/etc/selinux/config": config})

    assert lines(selinux.COLLECTOR, tmp_path) == [
        "node_selinux_enabled 1",
        f"node_selinux_config_mode {config_mode}",
        f"node_selinux_current_mode {current_mode}",
    ]


@pytest.mark.parametrize(
    ("context", "enabled"),
    [("kernel\0", 0), ("system_u:system_r:init_t:s0\0", 1)],
    ids=["no policy", "a policy"],
)
def test_selinux_without_a_policy_is_not_enabled(tmp_path: Path, context: str, enabled: int) -> None:
    write(tmp_path, {"sys/fs/selinux/enforce": "0", "proc/self/attr/current": context})

    assert lines(selinux.COLLECTOR, tmp_path)[0] == f"node_selinux_enabled {enabled}"


def test_each_watchdog_shows_what_it_has(tmp_path: Path) -> None:
    folder = "sys/class/watchdog/watchdog0"
    write(
        tmp_path,
        {
            f"{folder}/access_cs0": "0\n",
            f"{folder}/bootstatus": "0x10\n",
            f"{folder}/fw_version": "2\n",
            f"{folder}/identity": "Software Watchdog\n",
            f"{folder}/nowayout": "0\n",
            f"{folder}/options": "0x8380\n",
            f"{folder}/pretimeout": "120\n",
            f"{folder}/pretimeout_governor": "noop\n",
            f"{folder}/state": "active\n",
            f"{folder}/status": "0x8000\n",
            f"{folder}/timeleft": "300\n",
            f"{folder}/timeout": "60\n",
        },
    )
    (tmp_path / "sys/class/watchdog/watchdog1").mkdir()
    (tmp_path / "sys/class/watchdog/watchdog2").symlink_to("gone")

    assert lines(watchdog.COLLECTOR, tmp_path) == [
        'node_watchdog_bootstatus{name="watchdog0"} 16',
        'node_watchdog_fw_version{name="watchdog0"} 2',
        'node_watchdog_nowayout{name="watchdog0"} 0',
        'node_watchdog_timeleft_seconds{name="watchdog0"} 300',
        'node_watchdog_timeout_seconds{name="watchdog0"} 60',
        'node_watchdog_pretimeout_seconds{name="watchdog0"} 120',
        'node_watchdog_access_cs0{name="watchdog0"} 0',
        'node_watchdog_info{identity="Software Watchdog",name="watchdog0",options="0x8380",'
        'pretimeout_governor="noop",state="active",status="0x8000"} 1',
        'node_watchdog_info{identity="",name="watchdog1",options="",pretimeout_governor="",state="",status=""} 1',
        'node_watchdog_info{identity="",name="watchdog2",options="",pretimeout_governor="",state="",status=""} 1',
    ]


def test_a_watchdogs_number_that_is_none_is_an_error_that_names_its_file(tmp_path: Path) -> None:
    write(tmp_path, {"sys/class/watchdog/watchdog0/timeout": "never\n"})

    with pytest.raises(ValueError, match="number in class/watchdog/watchdog0/timeout, got 'never'"):
        lines(watchdog.COLLECTOR, tmp_path)


def test_a_host_without_watchdogs_shows_none(tmp_path: Path) -> None:
    (tmp_path / "sys/class/watchdog").mkdir(parents=True)

    assert lines(watchdog.COLLECTOR, tmp_path) == []


def test_a_watchdog_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sys/class/watchdog/watchdog0/timeout").mkdir(parents=True)  # reading a folder fails, too

    with pytest.raises(IsADirectoryError):
        lines(watchdog.COLLECTOR, tmp_path)
