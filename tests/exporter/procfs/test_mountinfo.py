from __future__ import annotations

import pytest

from host_exporter.procfs.mountinfo import Mount, parse_mountinfo


@pytest.mark.parametrize(
    ("line", "mount"),
    [
        ("27 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw", Mount("/dev/sda1", "/", "ext4", "8", "1", False)),
        ("27 1 8:1 / /a rw - ext4 /dev/sda1 rw", Mount("/dev/sda1", "/a", "ext4", "8", "1", False)),
        (
            "27 1 8:1 / /a rw shared:1 master:2 unbindable - ext4 /dev/sda1 rw",
            Mount("/dev/sda1", "/a", "ext4", "8", "1", False),
        ),
        ("27 1 8:1 / /a relatime,ro - ext4 /dev/sda1 rw", Mount("/dev/sda1", "/a", "ext4", "8", "1", True)),
        (
            "27 1 8:1 / /a rw - ext4 /dev/sda1 rw,errors=remount-ro,ro",
            Mount("/dev/sda1", "/a", "ext4", "8", "1", True),
        ),
        (
            "27 1 8:1 / /a rw - ext4 /dev/sda1 rw,errors=remount-ro",
            Mount("/dev/sda1", "/a", "ext4", "8", "1", False),
        ),
        (
            r"27 1 0:9 / /a\040b\011c\134d rw - nfs nas:/x\040y rw",
            Mount("nas:/x y", "/a b\tc\\d", "nfs", "0", "9", False),
        ),
    ],
    ids=[
        "one optional field",
        "no optional field",
        "three optional fields",
        "read-only mount",
        "read-only file system",
        "an option that only ends in ro",
        "escaped characters",
    ],
)
def test_a_line_is_a_mount(line: str, mount: Mount) -> None:
    assert parse_mountinfo(line + "\n") == [mount]


@pytest.mark.parametrize(
    "line",
    ["27 1 8:1 / / rw ext4 /dev/sda1 rw", "27 1 8:1 / - ext4 /dev/sda1 rw", "27 1 8:1 / / rw - ext4"],
    ids=["no dash", "too few fields before it", "too few after it"],
)
def test_a_line_cut_short_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="expected 6 fields, a dash and 3 fields"):
        parse_mountinfo(line)
