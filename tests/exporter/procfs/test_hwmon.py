from __future__ import annotations

import pytest

from host_exporter.procfs.hwmon import Attribute, clean_name, parse_attribute, parse_number


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("temp2_max", Attribute("temp2", "temp", "max")),
        ("pwm1", Attribute("pwm1", "pwm", "")),
        ("pwm1_auto_point1_pwm", Attribute("pwm1", "pwm", "auto_point1_pwm")),
        ("in07_input", Attribute("in7", "in", "input")),
        ("update_interval", Attribute("update_interval0", "update_interval", "")),
        ("beep_enable", Attribute("beep_enable0", "beep_enable", "")),
        ("power_state", None),
        ("name", None),
        ("temp1x", None),
        ("1temp", None),
        ("", None),
    ],
)
def test_an_attributes_name_tells_its_sensor(name: str, attribute: Attribute | None) -> None:
    assert parse_attribute(name) == attribute


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("0000:00:18.3", "0000:00:18_3"),
        ("coretemp.0\n", "coretemp_0"),
        ("_Odd Näme_", "odd_n_me"),
        ("--", ""),
    ],
)
def test_names_are_made_of_what_a_metric_may_have(text: str, cleaned: str) -> None:
    assert clean_name(text) == cleaned


@pytest.mark.parametrize(
    ("text", "number"),
    [("42", 42.0), ("-1.5", -1.5), ("", None), ("N/A", None), (" 1", None), ("٣", None), ("1e3", 1000.0)],
)
def test_only_numbers_are_numbers(text: str, number: float | None) -> None:
    assert parse_number(text) == number
