from __future__ import annotations

import pytest

from host_exporter.procfs.mdstat import Array, parse_mdstat


def mdstat(*lines: str) -> str:
    return "\n".join(
        ["Personalities : [linear] [raid0] [raid1] [raid6]", *lines, "", "unused devices: <none>", ""]
    )


@pytest.mark.parametrize(
    ("lines", "array"),
    [
        (
            ["md127 : active raid1 sdi2[0] sdj2[1]", "      312319552 blocks [2/2] [UU]"],
            Array("md127", "active", 2, 0, 0, 2, 312319552, 312319552),
        ),
        (
            [
                "md7 : active raid6 sdb1[0] sde1[3] sdd1[2] sdc1[1](F)",
                "      7813735424 blocks super 1.2 level 6, 512k chunk, algorithm 2 [4/3] [U_UU]",
                "      bitmap: 0/30 pages [0KB], 65536KB chunk",
            ],
            Array("md7", "active", 3, 1, 0, 4, 7813735424, 7813735424),
        ),
        (
            [
                "md8 : active raid1 sdb1[1] sda1[0] sdc[2](S) sde[3](S)",
                "      195310144 blocks [2/2] [UU]",
                "      bitmap: 2/2 pages [8KB], 65536KB chunk",
                "      [=>...]  resync =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec",
            ],
            Array("md8", "resyncing", 2, 0, 2, 2, 195310144, 16775552),
        ),
        (
            [
                "md201 : active raid1 sda3[0] sdb3[1]",
                "      1993728 blocks super 1.2 [2/2] [UU]",
                "      [=>...]  check =  5.7% (114176/1993728) finish=0.2min speed=114176K/sec",
            ],
            Array("md201", "checking", 2, 0, 0, 2, 1993728, 114176),
        ),
        (
            [
                "md11 : active (auto-read-only) raid1 sdb2[0] sdc2[1] sdc3[2](F) hda[4](S)",
                "      4190208 blocks super 1.2 [2/2] [UU]",
                "      resync=PENDING",
            ],
            Array("md11", "resyncing", 2, 1, 1, 2, 4190208, 0),
        ),
        (
            ["md12 : active raid0 sdc2[0] sdd2[1]", "      3886394368 blocks super 1.2 512k chunks"],
            Array("md12", "active", 2, 0, 0, 2, 3886394368, 3886394368),
        ),
        (
            ["md219 : inactive sdb[2](S) sdc[1](S) sda[0](S)", "      7932 blocks super external:imsm"],
            Array("md219", "inactive", 0, 0, 3, 0, 7932, 7932),
        ),
    ],
    ids=["mirror", "failed", "resync", "check", "pending", "striped", "inactive"],
)
def test_the_lines_of_an_array_give_its_state_disks_and_blocks(lines: list[str], array: Array) -> None:
    assert parse_mdstat(mdstat(*lines)) == [array]


def test_no_arrays_are_no_error() -> None:
    assert parse_mdstat(mdstat()) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["md0 :"], "expected an array"),
        (["md0 : active raid1 sda[0]", "      many blocks [1/1] [U]"], "expected a number of blocks"),
        (["md0 : active raid1 sda[0]", "      5 blocks"], "expected disks as"),
        (
            ["md0 : active raid1 sda[0]", "      5 blocks [1/1] [U]", "      resync = 5%"],
            "expected progress as",
        ),
    ],
    ids=["name only", "no blocks", "no disks", "no progress"],
)
def test_lines_of_another_form_are_an_error(lines: list[str], expected: str) -> None:
    with pytest.raises(ValueError, match=f"mdstat: {expected}"):
        parse_mdstat(mdstat(*lines))


def test_an_array_whose_lines_end_early_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected an array and 3 lines more, got 'md0 : active raid0 sda"):
        parse_mdstat("md0 : active raid0 sda[0]\n      5 blocks\n")
