from __future__ import annotations

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pushgateway_bridge.access.token import ACTIVATION_SECONDS, MAX_NAME_CHARACTERS, Right, Token, hash_secret
from pushgateway_bridge.access.tokens import FolderInUse, NoSuchToken, Tokens
from pushgateway_bridge.errors import Forbidden, StartFailed, WrongToken
from tests.bridge.harness import FakeClock


class Folder:
    """A folder of tokens on a clock that the test moves; ``again`` is the next process that has it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()

    def again(self) -> Tokens:
        tokens = Tokens(self.directory, self.clock.now_ms)
        tokens.load()
        return tokens

    @property
    def file(self) -> Path:
        return self.directory / "tokens.json"

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.file.read_bytes())
        return document

    def write(self, document: object) -> None:
        self.file.write_bytes(msgspec.json.encode(document))
        self.file.chmod(0o600)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "access").mkdir()
    return Folder(tmp_path / "access")


@pytest.fixture
def tokens(folder: Folder) -> Tokens:
    return folder.again()


def made(tokens: Tokens, *rights: Right, **options: Any) -> tuple[Token, str]:
    return tokens.create("nas", rights or (Right.PUSH,), **options)


def refusal(tokens: Tokens, secret: str) -> str:
    with pytest.raises(WrongToken) as caught:
        tokens.find(secret)
    return str(caught.value)


# Making and finding


def test_a_token_is_found_by_its_text_alone_and_kept_as_its_hash(folder: Folder, tokens: Tokens) -> None:
    token, secret = made(tokens, Right.PUSH, Right.READ, job="backup", instance="nas", owner=4)

    assert tokens.find(secret).token == token
    assert secret not in folder.file.read_text()
    assert folder.document() == {
        "version": 1,
        "next_id": 2,
        "tokens": [
            {
                "id": 1,
                "name": "nas",
                "sha256": hash_secret(secret),
                "rights": ["push", "read"],
                "job": "backup",
                "instance": "nas",
                "owner": 4,
                "created_ms": folder.clock.now_ms(),
            }
        ],
    }
    assert folder.again().list() == [token]
    assert folder.again().find(secret).token == token


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "a" * 64, "a" * 257, "a" * 10_000_000, "töken", "a\nb", "\x00", "\udcff", "٣" * 64],
    ids=lambda text: ascii(text[:8]) + str(len(text)),
)
def test_what_is_no_token_of_ours_is_refused(tokens: Tokens, text: str) -> None:
    made(tokens)

    assert refusal(tokens, text) in ("unknown token", "this is no token of this bridge")


def test_the_hash_in_the_file_is_no_token(tokens: Tokens) -> None:
    token, secret = made(tokens)

    assert refusal(tokens, token.sha256) == "unknown token"
    assert refusal(tokens, secret.upper()) == "unknown token"
    assert refusal(tokens, secret + " ") == "unknown token"
    assert refusal(tokens, secret[:-1]) == "unknown token"


def test_a_token_is_void_from_its_expiry_on(folder: Folder, tokens: Tokens) -> None:
    _, secret = made(tokens, lifetime_seconds=60)
    folder.clock.pass_seconds(59.999)
    assert tokens.find(secret).token.id == 1

    folder.clock.pass_seconds(0.001)
    assert refusal(tokens, secret) == "this token has expired"
    assert refusal(folder.again(), secret) == "this token has expired"


def test_a_revoked_token_is_void_at_once_and_stays_in_the_list(folder: Folder, tokens: Tokens) -> None:
    token, secret = made(tokens)
    held = tokens.find(secret)
    revoked = tokens.revoke(token.id)

    assert held.withdrawn
    assert refusal(tokens, secret) == "this token was revoked"
    assert refusal(folder.again(), secret) == "this token was revoked"
    assert tokens.list() == [revoked]
    folder.clock.pass_seconds(60)
    assert tokens.revoke(token.id) == revoked


def test_a_rotated_token_keeps_all_but_its_text_and_its_times(folder: Folder, tokens: Tokens) -> None:
    token, before = made(tokens, Right.READ, job="j", instance="i", owner=2, lifetime_seconds=60)
    held = tokens.find(before)
    folder.clock.pass_seconds(50)
    rotated, after = tokens.rotate(token.id)

    assert held.withdrawn
    for again in (tokens, folder.again()):
        assert refusal(again, before) == "unknown token"
        assert again.find(after).token == rotated
    now_ms = folder.clock.now_ms()
    expected = {"sha256": hash_secret(after), "created_ms": now_ms, "expires_ms": now_ms + 60_000}
    assert rotated == msgspec.structs.replace(token, **expected)


def test_rotating_brings_an_expired_token_to_life_for_as_long_as_before(
    folder: Folder, tokens: Tokens
) -> None:
    token, _ = made(tokens, lifetime_seconds=60)
    folder.clock.pass_seconds(100)
    _, secret = tokens.rotate(token.id)

    folder.clock.pass_seconds(59)
    assert tokens.find(secret).token.id == 1
    folder.clock.pass_seconds(1)
    assert refusal(tokens, secret) == "this token has expired"


@pytest.mark.parametrize("change", [Tokens.revoke, Tokens.rotate, Tokens.get, Tokens.activate])
def test_a_number_that_no_token_has_is_told(tokens: Tokens, change: Callable[[Tokens, int], object]) -> None:
    made(tokens)

    with pytest.raises(NoSuchToken, match="no token has the number 2"):
        change(tokens, 2)


def test_a_number_is_never_given_out_twice(folder: Folder, tokens: Tokens) -> None:
    made(tokens)
    made(tokens)
    folder.write({**folder.document(), "tokens": []})

    assert made(folder.again())[0].id == 3
    tokens.load()
    assert made(tokens)[0].id == 4


def test_a_file_that_is_gone_at_a_reload_does_not_take_the_tokens_with_it(
    folder: Folder, tokens: Tokens
) -> None:
    _, secret = made(tokens)
    folder.file.unlink()

    with pytest.raises(StartFailed, match="is gone"):
        tokens.load()
    assert tokens.find(secret).token.id == 1


def test_a_token_may_be_bound_to_its_own_number(tokens: Tokens) -> None:
    made(tokens)

    assert made(tokens, instance="other", instance_is_id=True)[0].instance == "2"


def test_a_right_that_is_asked_for_twice_is_there_once(tokens: Tokens) -> None:
    assert made(tokens, Right.READ, Right.PUSH, Right.READ)[0].rights == (Right.READ, Right.PUSH)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "n" * (MAX_NAME_CHARACTERS + 1)},
        {"name": "\udcff"},
        {"job": "\udcff"},
        {"lifetime_seconds": 1e14},
    ],
    ids=["long name", "name that is no text", "job that is no text", "expires after all time"],
)
def test_what_could_not_be_read_again_is_not_written(
    folder: Folder, tokens: Tokens, options: dict[str, Any]
) -> None:
    """Or one such token would keep the bridge from starting."""
    token, _ = made(tokens)
    before = folder.file.read_bytes()

    with pytest.raises(ValueError):  # noqa: PT011 - whatever the encoder says
        tokens.create(**{"name": "n", "rights": [Right.PUSH], **options})

    assert folder.file.read_bytes() == before
    assert tokens.list() == folder.again().list() == [token]


# Rights and use


def test_a_use_without_the_right_is_refused_and_not_noted(tokens: Tokens) -> None:
    token, secret = made(tokens, Right.PUSH, Right.READ)

    with pytest.raises(Forbidden, match=rf"token {token.id} may push, read, not delete"):
        tokens.use(tokens.find(secret), Right.DELETE)
    assert tokens.get(token.id).last_used_ms == 0


def test_the_last_use_is_kept_over_a_restart(folder: Folder, tokens: Tokens) -> None:
    token, secret = made(tokens)
    folder.clock.pass_seconds(5)
    tokens.use(tokens.find(secret), Right.PUSH)
    used_ms = folder.clock.now_ms()
    assert tokens.get(token.id).last_used_ms == used_ms
    assert folder.again().get(token.id).last_used_ms == 0

    tokens.save_last_used()

    assert folder.again().get(token.id).last_used_ms == used_ms


def test_times_of_use_are_written_only_if_there_are_newer_ones(folder: Folder, tokens: Tokens) -> None:
    _, secret = made(tokens)
    tokens.use(tokens.find(secret), Right.PUSH)
    tokens.save_last_used()
    written = folder.file.stat().st_ino
    tokens.save_last_used()
    assert folder.file.stat().st_ino == written

    folder.clock.pass_seconds(1)
    tokens.use(tokens.find(secret), Right.PUSH)
    tokens.save_last_used()
    assert folder.file.stat().st_ino != written


@pytest.mark.parametrize("change", [Tokens.rotate, Tokens.revoke])
def test_a_change_of_a_token_keeps_its_last_use(
    folder: Folder, tokens: Tokens, change: Callable[[Tokens, int], object]
) -> None:
    token, secret = made(tokens)
    tokens.use(tokens.find(secret), Right.PUSH)
    change(tokens, token.id)

    assert tokens.get(token.id).last_used_ms == folder.clock.now_ms()
    assert folder.again().get(token.id).last_used_ms == folder.clock.now_ms()


# Enrolment


def test_an_enrolment_token_used_in_time_is_good_from_then_on(folder: Folder, tokens: Tokens) -> None:
    token, secret = made(tokens, enrol=True)
    folder.clock.pass_seconds(ACTIVATION_SECONDS - 1)
    assert tokens.find(secret).token.waits_for_activation
    tokens.activate(token.id)
    folder.clock.pass_seconds(10 * ACTIVATION_SECONDS)

    for again in (tokens, folder.again()):
        assert again.find(secret).may_push(folder.clock.now_ms())


def test_an_enrolment_token_not_used_in_time_is_void_and_stays_so(folder: Folder, tokens: Tokens) -> None:
    _, secret = made(tokens, enrol=True)
    folder.clock.pass_seconds(ACTIVATION_SECONDS)

    for again in (tokens, folder.again()):
        assert refusal(again, secret).startswith("this token was not used within 5 minutes")


def test_a_second_first_use_changes_nothing(folder: Folder, tokens: Tokens) -> None:
    token, _ = made(tokens, enrol=True)
    tokens.activate(token.id)
    activated = tokens.get(token.id)
    folder.clock.pass_seconds(1)
    tokens.activate(token.id)

    assert tokens.get(token.id) == activated


def test_a_rotated_enrolment_token_waits_for_its_first_use_again(folder: Folder, tokens: Tokens) -> None:
    token, _ = made(tokens, enrol=True)
    tokens.activate(token.id)
    folder.clock.pass_seconds(1000)
    _, secret = tokens.rotate(token.id)

    assert tokens.find(secret).token.waits_for_activation
    folder.clock.pass_seconds(ACTIVATION_SECONDS)
    assert "make a new one" in refusal(tokens, secret)


# The file


def test_without_a_file_there_are_no_tokens(folder: Folder) -> None:
    assert len(folder.again()) == 0
    assert list(folder.directory.iterdir()) == []


def test_file_and_folder_are_their_owners_alone(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "deep" / "access", FakeClock().now_ms)
    before = os.umask(0)
    try:
        with tokens.locked():
            made(tokens)
            made(tokens)
    finally:
        os.umask(before)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tokens.directory.iterdir()}
    assert modes == {"tokens.json": 0o600, "lock": 0o600}
    assert stat.S_IMODE(tokens.directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602], ids=oct)
def test_a_file_that_others_may_open_is_warned_of_and_read(
    folder: Folder, tokens: Tokens, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    _, secret = made(tokens)
    folder.file.chmod(mode)

    assert folder.again().find(secret).token.id == 1
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert str(folder.file) in warning.getMessage()
    assert f"mode={mode:04o}" in warning.getMessage()
    made(tokens)
    assert stat.S_IMODE(folder.file.stat().st_mode) == 0o600


def test_a_file_of_its_owner_alone_is_not_warned_of(
    folder: Folder, tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    made(tokens)
    folder.again()

    assert caplog.records == []


GOOD: dict[str, Any] = {"id": 1, "name": "n", "sha256": "a" * 64, "rights": ["push"], "created_ms": 1}
BROKEN: dict[str, object] = {
    "empty": b"",
    "cut off": b'{"version": 1, "next_id": 2, "tok',
    "no text": b"\xff\xfe\x00",
    "a list": [],
    "a newer version": {"version": 2, "people": [{"name": "n"}]},
    "no version at all": {"version": 0},
    "an unknown field": {"colour": "red"},
    "an unknown field of a token": {"next_id": 2, "tokens": [{**GOOD, "colour": "red"}]},
    "an unknown right": {"next_id": 2, "tokens": [{**GOOD, "rights": ["fly"]}]},
    "no hash": {"next_id": 2, "tokens": [{**GOOD, "sha256": "secret"}]},
    "two of a number": {"next_id": 2, "tokens": [GOOD, {**GOOD, "sha256": "b" * 64}]},
    "two of a hash": {"next_id": 3, "tokens": [GOOD, {**GOOD, "id": 2}]},
    "a number that would come again": {"next_id": 1, "tokens": [GOOD]},
    "a folder": None,
    "a link to itself": Path("tokens.json"),
}


def spoil(folder: Folder, content: object) -> None:
    folder.file.unlink(missing_ok=True)
    if content is None:
        folder.file.mkdir()
    elif isinstance(content, Path):
        folder.file.symlink_to(content)
    elif isinstance(content, bytes):
        folder.file.write_bytes(content)
    else:
        folder.write(content)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_read_is_told_in_a_line_that_names_it(folder: Folder, content: object) -> None:
    spoil(folder, content)

    with pytest.raises(StartFailed) as caught:
        folder.again()

    assert str(caught.value).startswith(f"token file {folder.file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_tokens_that_were_good_go_on_if_the_file_is_read_again_and_is_broken(
    folder: Folder, tokens: Tokens, content: object
) -> None:
    token, secret = made(tokens)
    held = tokens.find(secret)
    spoil(folder, content)

    with pytest.raises(StartFailed):
        tokens.load()

    assert tokens.find(secret) is held
    assert held.may_push(folder.clock.now_ms())
    assert tokens.list() == [token]


def test_a_newer_file_is_called_so(folder: Folder) -> None:
    spoil(folder, BROKEN["a newer version"])

    with pytest.raises(StartFailed, match=r"a newer bridge wrote it \(version 2, this one reads 1\)"):
        folder.again()


# Reading it again


def test_what_the_file_says_anew_holds_at_once(folder: Folder, tokens: Tokens) -> None:
    first, secret = made(tokens)
    second, gone = made(tokens)
    added = {**GOOD, "id": 3, "sha256": hash_secret("added")}
    document = folder.document()
    document["tokens"][0]["job"] = "other"
    folder.write({**document, "next_id": 4, "tokens": [document["tokens"][0], added]})
    held = [tokens.find(secret), tokens.find(gone)]

    tokens.load()

    assert [known.withdrawn for known in held] == [True, True]
    assert tokens.find(secret).pusher.job == "other"
    assert refusal(tokens, gone) == "unknown token"
    assert tokens.find("added").token.id == 3
    assert [token.id for token in tokens.list()] == [first.id, 3]
    with pytest.raises(NoSuchToken):
        tokens.get(second.id)


def test_reading_the_same_again_keeps_every_token_and_its_last_use(folder: Folder, tokens: Tokens) -> None:
    _, secret = made(tokens)
    held = tokens.find(secret)
    folder.clock.pass_seconds(5)
    tokens.use(held, Right.PUSH)
    used_ms = folder.clock.now_ms()

    tokens.load()

    assert tokens.find(secret) is held
    assert not held.withdrawn
    assert tokens.list()[0].last_used_ms == used_ms
    tokens.save_last_used()
    assert folder.again().list()[0].last_used_ms == used_ms


# Faults


def test_what_cannot_be_written_changes_nothing(folder: Folder, tokens: Tokens) -> None:
    token, secret = made(tokens)
    enrolling, _ = made(tokens, enrol=True)
    tokens.use(tokens.find(secret), Right.PUSH)
    listed, before = tokens.list(), folder.file.read_bytes()
    beside = folder.directory / "tokens.json.new"
    beside.mkdir()

    for change in (
        lambda: made(tokens),
        lambda: tokens.rotate(token.id),
        lambda: tokens.revoke(token.id),
        lambda: tokens.activate(enrolling.id),
        tokens.save_last_used,
    ):
        with pytest.raises(OSError, match="Is a directory"):
            change()

    assert tokens.list() == listed
    assert tokens.find(secret).may_push(folder.clock.now_ms())
    assert folder.file.read_bytes() == before
    beside.rmdir()
    assert made(tokens)[0].id == 3


CHILD = """
import os, signal, sys
from pathlib import Path
from pushgateway_bridge.access.token import Right
from pushgateway_bridge.access.tokens import Tokens

tokens = Tokens(Path(sys.argv[1]), lambda: 1_770_000_000_000)
with tokens.locked():
    tokens.load()
    {work}
    os.kill(os.getpid(), signal.SIGKILL)
"""


def die_after(folder: Folder, work: str) -> None:
    """Another process does *work* on the folder and is killed at once."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(work=work), str(folder.directory)], check=False, timeout=60
    )
    assert child.returncode == -signal.SIGKILL


def test_a_crash_between_writing_and_renaming_leaves_the_old_file(folder: Folder, tokens: Tokens) -> None:
    token, secret = made(tokens)
    before = folder.file.read_bytes()

    die_after(folder, "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL); tokens.revoke(1)")

    assert folder.file.read_bytes() == before
    assert (folder.directory / "tokens.json.new").stat().st_size > 0
    after = folder.again()
    assert after.find(secret).token == token
    with after.locked():
        after.revoke(token.id)
    assert refusal(folder.again(), secret) == "this token was revoked"
    assert not (folder.directory / "tokens.json.new").exists()


@pytest.mark.parametrize(
    ("work", "good"),
    [("tokens.revoke(1)", False), ("tokens.rotate(1)", False), ("tokens.activate(1)", True)],
    ids=["revoke", "rotate", "activate"],
)
def test_a_change_that_was_made_outlives_a_crash(
    folder: Folder, tokens: Tokens, work: str, good: bool
) -> None:
    _, secret = made(tokens, enrol=True)

    die_after(folder, work)

    after = folder.again()
    if good:
        assert not after.find(secret).token.waits_for_activation
    else:
        refusal(after, secret)


# One process at a time


def test_only_one_at_a_time_has_the_folder(folder: Folder) -> None:
    first, second = folder.again(), folder.again()
    with first.locked():
        with pytest.raises(FolderInUse, match=str(folder.directory)), second.locked():
            pass
        with pytest.raises(FolderInUse), second.locked():
            pass

    with second.locked():
        assert made(second)[0].id == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tokens = Tokens(tmp_path / "file" / "access", FakeClock().now_ms)

    with pytest.raises(StartFailed, match=rf"access\.directory {tokens.directory}: Not a directory"):
        tokens.locked().__enter__()


def test_changes_in_many_threads_are_all_kept(folder: Folder, tokens: Tokens) -> None:
    secrets: list[str] = []
    looked: list[Exception] = []
    _, steady = made(tokens)
    done = threading.Event()

    def make() -> None:
        secrets.extend(made(tokens)[1] for _ in range(10))

    def look() -> None:
        while not done.is_set():
            try:
                tokens.find(steady)
                tokens.list()
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells
                looked.append(error)
            done.wait(0.0001)

    looker = threading.Thread(target=look)
    looker.start()
    makers = [threading.Thread(target=make) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    for _ in range(20):
        tokens.activate(1)
        tokens.load()
    done.set()
    looker.join()

    assert looked == []
    assert len(set(secrets)) == 40
    assert [token.id for token in folder.again().list()] == list(range(1, 42))
    assert {tokens.find(secret).token.id for secret in secrets} == set(range(2, 42))
