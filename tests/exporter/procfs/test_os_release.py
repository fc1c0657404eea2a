from __future__ import annotations

import pytest

from host_exporter.procfs.os_release import parse_os_release


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=debian", "debian"),
        ('NAME="Debian GNU/Linux"', "Debian GNU/Linux"),
        ("NAME='a \\\\ \"b\"'", 'a \\\\ "b"'),
        (r'NAME="a \"b\" \\ \$c \`d"', r'a "b" \ $c `d'),
        ('NAME="x # y" # why', "x # y"),
        ("NAME=x # why", "x"),
        ('NAME="x"y', "xy"),
        ('NAME = "x"', "x"),
        ("export NAME=x", "x"),
        ("NAME=", ""),
        ('NAME=" x "', " x "),
    ],
)
def test_a_value_is_what_a_shell_would_make_of_it(line: str, value: str) -> None:
    assert parse_os_release(f"# comment\n\n{line}\nID=1\n") == {"NAME": value, "ID": "1"}


@pytest.mark.parametrize("line", ["NAME", 'NAME="x', "NAME='x", 'NAME="x\\"'])
def test_what_is_no_assignment_is_an_error_that_shows_the_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"expected NAME=value in os-release, got .NAME"):
        parse_os_release(f"ID=1\n{line}\n")
