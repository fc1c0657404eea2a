from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from host_exporter.paths import HostPaths
from host_exporter.sysfs import read_attribute, read_count

Host = Callable[[Mapping[str, str]], HostPaths]


def test_an_attribute_comes_without_blanks_around_it(host: Host) -> None:
    assert read_attribute(host({"sys/speed": " 10 Gbit \n"}), "speed") == "10 Gbit"


def test_an_attribute_that_is_missing_or_not_told_is_none(host: Host) -> None:
    with HostPaths() as this_machine:
        assert read_attribute(this_machine, "class/net/lo/speed") is None  # EINVAL
    assert read_attribute(host({}), "speed") is None


def test_another_failure_is_not_taken_for_a_missing_attribute(host: Host) -> None:
    with pytest.raises(IsADirectoryError):
        read_attribute(host({"sys/device/speed": "1\n"}), "device")


@pytest.mark.parametrize(
    ("text", "number"), [("12\n", 12), ("-1", -1), ("0xff\n", 255), ("N/A (no PMA)\n", None)]
)
def test_a_count_is_decimal_or_hexadecimal(text: str, number: int | None, host: Host) -> None:
    assert read_count(host({"sys/count": text}), "count") == number


def test_a_count_that_is_no_number_is_named(host: Host) -> None:
    with pytest.raises(ValueError, match="device/count: expected a number, got 'many'"):
        read_count(host({"sys/device/count": "many\n"}), "device/count")
