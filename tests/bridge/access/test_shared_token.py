from __future__ import annotations

from pathlib import Path

import pytest

from pushgateway_bridge.access.shared_token import HASH_SUFFIX, SharedToken, provide_token
from pushgateway_bridge.access.token import hash_secret
from pushgateway_bridge.errors import StartFailed


def hash_file(file: Path) -> Path:
    return Path(f"{file}{HASH_SUFFIX}")


def test_a_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "deep/alert-history-token"
    provide_token(file)
    made = file.read_text()
    provide_token(file)

    assert file.read_text() == made
    assert len(made.strip()) == 64
    assert (file.stat().st_mode & 0o777, hash_file(file).stat().st_mode & 0o777) == (0o600, 0o644)
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name, hash_file(file).name]


def test_the_hash_is_of_the_token_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"from-elsewhere\r\n")
    hash_file(file).write_text("of another one")
    provide_token(file)

    assert file.read_bytes() == b"from-elsewhere\r\n"
    assert hash_file(file).read_text() == hash_secret("from-elsewhere") + "\n"


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"x" * 257, b"\xff"], ids=["empty", "blank", "long", "binary"]
)
def test_a_file_that_holds_no_token_is_told(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)

    with pytest.raises(StartFailed, match=f"^token file {file}: expected "):
        provide_token(file)
    assert not hash_file(file).exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StartFailed, match=r"^token file .*/file.*: (Not a directory|File exists)$"):
        provide_token(tmp_path / "file/token")


def test_the_token_and_no_other_matches(tmp_path: Path) -> None:
    file = tmp_path / "token"
    provide_token(file)
    secret = file.read_text().strip()
    shared = SharedToken(hash_file(file))

    assert shared.matches(secret)
    for other in ("", secret[:-1], secret + "0", hash_secret(secret), "x" * 1000, "é"):
        assert not shared.matches(other)


def test_a_token_that_is_replaced_is_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "token"
    shared = SharedToken(hash_file(file))
    assert not shared.matches("x")
    provide_token(file)
    before = file.read_text().strip()
    file.write_text("a new one")
    provide_token(file)

    assert (shared.matches(before), shared.matches("a new one")) == (False, True)


@pytest.mark.parametrize("content", [b"", b"\xff", b"x" * 10_000], ids=["empty", "binary", "long"])
def test_a_file_that_holds_no_hash_matches_nothing(content: bytes, tmp_path: Path) -> None:
    hash_file(tmp_path / "token").write_bytes(content)

    assert not SharedToken(hash_file(tmp_path / "token")).matches("x")
