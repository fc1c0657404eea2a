from __future__ import annotations

from host_exporter.procfs.udev import parse_udev


def test_only_properties_are_kept_with_everything_after_the_first_equals_sign() -> None:
    text = "S:disk/by-id/x\nI:1234\nE:ID_MODEL=A=B\nE:ID_EMPTY=\nG:systemd\n"

    assert parse_udev(text) == {"ID_MODEL": "A=B", "ID_EMPTY": ""}
