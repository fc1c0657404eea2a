"""Settings of remotes that contradict each other or make no sense stop the start with one line that names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pushgateway_bridge.config import RemoteConfig, load, remotes_of
from pushgateway_bridge.errors import StartFailed

URL = "http://127.0.0.1:9/api/v1/write"
ONE = "remote_write.remotes 'one'"


def configured(
    folder: Path, remote_write: dict[str, Any], delivery: str = "remote_write"
) -> list[RemoteConfig]:
    file = folder / "bridge.yml"
    file.write_text(yaml.safe_dump({"delivery": delivery, "remote_write": remote_write}))
    return remotes_of(load(file, {}, {}))


def test_without_settings_the_remote_is_the_prometheus_that_the_pages_read() -> None:
    config = load(None, {}, {"delivery": "remote_write", "prometheus.url": "http://metrics.test:9090/"})

    (remote,) = remotes_of(config)
    assert (remote.name, remote.url) == ("prometheus", "http://metrics.test:9090/api/v1/write")


def test_an_address_and_a_list_of_remotes_add_up(tmp_path: Path) -> None:
    remotes = configured(tmp_path, {"url": URL, "remotes": [{"name": "one", "url": URL}]})

    assert [remote.name for remote in remotes] == ["prometheus", "one"]


def test_a_list_of_remotes_alone_leaves_out_the_default_one(tmp_path: Path) -> None:
    remotes = configured(tmp_path, {"remotes": [{"name": "one", "url": URL}]})

    assert [remote.name for remote in remotes] == ["one"]


def test_with_delivery_by_scrape_there_are_no_remotes(tmp_path: Path) -> None:
    remotes = configured(tmp_path, {"url": URL, "remotes": [{"name": "one", "url": URL}]}, "scrape")

    assert remotes == []


@pytest.mark.parametrize(
    ("remote_write", "message"),
    [
        ({"url": "127.0.0.1:9"}, "remote_write.url: expected http://… or https://…, got '127.0.0.1:9'"),
        ({"url": "ftp://a/b"}, "remote_write.url: expected http://… or https://…, got 'ftp://a/b'"),
        ({"url": "http:///write"}, "remote_write.url: expected http://… or https://…, got 'http:///write'"),
        ({"external_labels": {"a-b": "c"}}, "remote_write.external_labels: 'a-b' is no label name"),
        ({"external_labels": {"": "c"}}, "remote_write.external_labels: '' is no label name"),
        ({"external_labels": {"__name__": "c"}}, "remote_write.external_labels: '__name__' is no label name"),
    ],
    ids=["no_scheme", "other_scheme", "no_host", "label_dash", "label_empty", "label_reserved"],
)
def test_settings_of_all_remotes_that_make_no_sense_are_named(
    remote_write: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(StartFailed) as failed:
        configured(tmp_path, remote_write)

    assert str(failed.value) == message


@pytest.mark.parametrize(
    ("remote", "message"),
    [
        (
            {"url": "http://me:secret@a/write"},
            f"{ONE}: user and password do not belong in the url: use username and password_file",
        ),
        ({"url": "a"}, f"{ONE}: url: expected http://… or https://…, got 'a'"),
        (
            {"username": "me", "bearer_token_file": "{file}"},
            f"{ONE}: username and bearer_token_file exclude each other",
        ),
        ({"password_file": "{file}"}, f"{ONE}: password_file needs a username"),
        ({"tls": {"cert_file": "{file}"}}, f"{ONE}: tls.cert_file and tls.key_file belong together"),
        ({"tls": {"key_file": "{file}"}}, f"{ONE}: tls.cert_file and tls.key_file belong together"),
        (
            {"username": "me", "password_file": "/none/p"},
            f"{ONE}: password_file /none/p: No such file or directory",
        ),
        ({"bearer_token_file": "/none/t"}, f"{ONE}: bearer_token_file /none/t: No such file or directory"),
        ({"tls": {"ca_file": "/none/c"}}, f"{ONE}: tls.ca_file /none/c: No such file or directory"),
        (
            {"tls": {"cert_file": "/none/c", "key_file": "{file}"}},
            f"{ONE}: tls.cert_file /none/c: No such file or directory",
        ),
        (
            {"tls": {"cert_file": "{file}", "key_file": "/none/k"}},
            f"{ONE}: tls.key_file /none/k: No such file or directory",
        ),
        (
            {"header_files": {"X-Key": "/none/h"}},
            f"{ONE}: header_files X-Key /none/h: No such file or directory",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_of_one_remote_that_make_no_sense_are_named_with_it(
    remote: dict[str, Any], message: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    text = yaml.safe_dump({"name": "one", "url": URL} | remote).replace("{file}", str(secret))

    with pytest.raises(StartFailed) as failed:
        configured(tmp_path, {"remotes": [yaml.safe_load(text)]})

    assert str(failed.value) == message


@pytest.mark.parametrize(
    "remote_write",
    [
        {"remotes": [{"name": "one", "url": URL}, {"name": "one", "url": URL}]},
        {"url": URL, "remotes": [{"name": "prometheus", "url": URL}]},
    ],
    ids=["in_the_list", "the_default"],
)
def test_two_remotes_of_one_name_are_refused(remote_write: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"^remote_write\.remotes '\w+': two remotes have this name"):
        configured(tmp_path, remote_write)


@pytest.mark.parametrize(
    ("remote", "why"),
    [
        ({"url": URL}, "missing required field `name`"),
        ({"name": "one"}, "missing required field `url`"),
        ({"name": "a b", "url": URL}, "matching regex"),
        ({"name": "one", "url": URL, "pasword_file": "x"}, "unknown field `pasword_file`"),
        ({"name": "one", "url": URL, "timeout_seconds": 0}, "> 0.0"),
        ({"name": "one", "url": URL, "max_samples_per_request": 0}, ">= 1"),
        ({"name": "one", "url": URL, "max_pending_bytes": -1}, ">= 0"),
        ({"name": "one", "url": URL, "tls": {"insecure": True}}, "unknown field `insecure`"),
    ],
    ids=["no_name", "no_url", "odd_name", "typing_error", "no_time", "no_samples", "no_room", "tls"],
)
def test_a_remote_of_the_wrong_form_is_told_in_one_line(
    remote: dict[str, Any], why: str, tmp_path: Path
) -> None:
    with pytest.raises(StartFailed) as failed:
        configured(tmp_path, {"remotes": [remote]})

    message = str(failed.value)
    assert message.startswith("remote_write.remotes: ")
    assert why in message
    assert "\n" not in message
