from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.render_config import read_env_file, render, settings_lookup, write_atomically

# What a password may hold, and what YAML would make of some of it.
ODD_TEXTS = [
    "a: b",
    "# no comment",
    "x #1",
    "{{ template }}",
    "[1]",
    "&anchor",
    "*alias",
    "!tag",
    "|",
    "'single'",
    'dou"ble',
    "back\\slash\\n",
    "${OTHER}",
    "$HOME",
    "null",
    "~",
    "yes",
    "True",
    "1e3",
    "0x1F",
    "0o17",
    "1_000",
    "12:30:45",
    "2026-02-01",
    ".5",
    "007",
    "-0",
    "+1",
    "0123456",
    "9" * 40,
    "ключ-🔑",
    "%41",
    "@",
    "`",
    "-",
    "- a",
    "?",
    ":",
    "=",
    "<<",
    "tab\tbed",
]


def rendered(template: str, **values: str) -> object:
    return yaml.safe_load(render(template, values.get))


@pytest.mark.parametrize(
    ("template", "document"),
    [
        ("url: ${URL}", {"url": "http://x/"}),
        ("url: '${URL}path?a=${A}'", {"url": "http://x/path?a=1"}),
        ("list: ['${URL}', plain]", {"list": ["http://x/", "plain"]}),
        ("deep: {deeper: [{deepest: '${URL}'}]}", {"deep": {"deeper": [{"deepest": "http://x/"}]}}),
        ("none: $URL $${ ${} ${lower} ${1A} {URL}", {"none": "$URL $${ ${} ${lower} ${1A} {URL}"}),
        ("${URL}: key", {"${URL}": "key"}),
        (
            "numbers: [1, 1.5, true, null, 2026-02-01]",
            yaml.safe_load("numbers: [1, 1.5, true, null, 2026-02-01]"),
        ),
        ("", None),
    ],
)
def test_placeholders_are_filled(template: str, document: object) -> None:
    assert rendered(template, URL="http://x/", A="1") == document


@pytest.mark.parametrize(
    ("value", "meaning"),
    [("17", 17), ("0", 0), ("-1001234567890", -1001234567890), ("true", True), ("false", False)],
)
def test_number_and_boolean_stay_what_they_are(value: str, meaning: object) -> None:
    document = rendered("is: ${VALUE}", VALUE=value)

    assert document == {"is": meaning}
    assert isinstance(document, dict)
    assert type(document["is"]) is type(meaning)


@pytest.mark.parametrize("value", ODD_TEXTS)
def test_any_other_text_stays_that_text(value: str) -> None:
    assert rendered("is: ${VALUE}", VALUE=value) == {"is": value}


@pytest.mark.parametrize("value", [*ODD_TEXTS, "17", "true"])
def test_part_of_a_text_stays_a_text(value: str) -> None:
    assert rendered("is: 'x${VALUE}'", VALUE=value) == {"is": f"x{value}"}


def test_value_is_filled_in_once() -> None:
    assert rendered("is: ${A}", A="${B}", B="secret") == {"is": "${B}"}


def test_entry_that_needs_a_missing_setting_is_left_out_of_its_list() -> None:
    template = "ways: [{to: '${MAIL}', by: smtp}, {url: '${HOOK}', deep: {token: '${TOKEN}'}}, {plain: 1}]"

    assert rendered(template, MAIL="a@b.c", HOOK="http://x") == {
        "ways": [{"to": "a@b.c", "by": "smtp"}, {"plain": 1}]
    }


def test_only_the_innermost_entry_is_left_out() -> None:
    template = "receivers: [{name: default, mail: [{to: '${MAIL}'}], hooks: [{url: '${HOOK}'}]}]"

    assert rendered(template, HOOK="http://x") == {
        "receivers": [{"name": "default", "hooks": [{"url": "http://x"}]}]
    }


def test_list_that_is_left_empty_is_left_out() -> None:
    template = "a: ['${X}']\nb: {c: ['${X}']}\nd: [['${X}'], [1]]\n"

    assert rendered(template) == {"b": {}, "d": [[1]]}


def test_list_that_was_empty_stays() -> None:
    assert rendered("a: []\nb: [[], 1]") == {"a": [], "b": [[], 1]}


def test_missing_setting_outside_a_list_is_told() -> None:
    with pytest.raises(StartFailed, match=r"^the template needs URL, which is not set$"):
        rendered("url: ${URL}")


def test_empty_setting_is_missing() -> None:
    assert rendered("a: ['${X}', 1]", X="") == {"a": [1]}


def test_template_that_is_no_yaml_is_told_in_one_line() -> None:
    with pytest.raises(StartFailed, match=r"^the template is no YAML: .*line 1") as failure:
        rendered("a: 'b")

    assert "\n" not in str(failure.value)


def test_order_of_keys_stays() -> None:
    assert render("z: 1\na: 2\nm: {y: 1, b: 2}\n", lambda _name: None) == "z: 1\na: 2\nm:\n  y: 1\n  b: 2\n"


# Where a value comes from


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / "settings.env"


def test_environment_over_env_file_over_secret_file(env_file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from the secret\n")
    env_file.write_text(f"A=from the file\nB=from the file\nB_FILE={secret}\nC_FILE={secret}\n")
    lookup = settings_lookup({"A": "from the environment", "D_FILE": str(secret)}, env_file)

    assert {name: lookup(name) for name in "ABCDE"} == {
        "A": "from the environment",
        "B": "from the file",
        "C": "from the secret",
        "D": "from the secret",
        "E": None,
    }


def test_env_file_wins_over_a_secret_file_that_the_environment_names(env_file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the secret")
    env_file.write_text("A=from the file\n")

    assert settings_lookup({"A_FILE": str(tmp_path / "secret")}, env_file)("A") == "from the file"


def test_empty_variable_gives_way_to_the_next_source(env_file: Path) -> None:
    env_file.write_text("A=from the file\n")

    assert settings_lookup({"A": "", "A_FILE": ""}, env_file)("A") == "from the file"


@pytest.mark.parametrize(
    ("content", "value"), [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" s p \n\n", " s p "), ("", "")]
)
def test_secret_is_its_file_without_the_end_of_line(content: str, value: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(content.encode())

    assert settings_lookup({"A_FILE": str(secret)}, None)("A") == value


def test_secret_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")

    with pytest.raises(StartFailed, match=rf"^A_FILE {absent}: No such file or directory$"):
        settings_lookup({"A_FILE": str(absent)}, None)("A")
    with pytest.raises(StartFailed, match=rf"^A_FILE {binary}: not a text in UTF-8$"):
        settings_lookup({"A_FILE": str(binary)}, None)("A")


def test_env_file_need_not_be_there(tmp_path: Path) -> None:
    assert settings_lookup({}, tmp_path / "absent")("A") is None


def test_env_file_is_read_line_by_line(env_file: Path) -> None:
    env_file.write_text(
        "# a comment\n\n  \nA=1\n export B = 2 \nC='quoted # text'\nD=\"double 'q'\"\n"
        'E=\nF=a=b=c\nG=\'\nH=\'x"\nI=""\n'
    )

    assert read_env_file(env_file) == {
        "A": "1",
        "B": "2",
        "C": "quoted # text",
        "D": "double 'q'",
        "E": "",
        "F": "a=b=c",
        "G": "'",
        "H": "'x\"",
        "I": "",
    }


@pytest.mark.parametrize("line", ["A", "A B=1", "1A=1", "=1", "A-B=1"])
def test_line_of_an_env_file_that_is_none_is_told(line: str, env_file: Path) -> None:
    env_file.write_text(f"GOOD=1\n{line}\n")

    with pytest.raises(StartFailed) as failure:
        read_env_file(env_file)

    assert str(failure.value) == f"{env_file}, line 2: expected NAME=value"


# The file


def test_file_is_written_with_its_folder_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "out.yml"

    write_atomically(file, "é: 1\n", 0o600)

    assert file.read_bytes() == "é: 1\n".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_file_takes_the_mode_that_was_asked_for_even_over_an_older_one(tmp_path: Path) -> None:
    file = tmp_path / "out.yml"
    file.write_text("old")
    file.chmod(0o666)

    write_atomically(file, "new", 0o640)

    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_who_has_the_old_file_open_goes_on_reading_it_whole(tmp_path: Path) -> None:
    file = tmp_path / "out.yml"
    file.write_text("old and longer than the new one")
    with file.open() as reader:
        write_atomically(file, "new", 0o600)

        assert reader.read() == "old and longer than the new one"
    assert file.read_text() == "new"


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "out.yml"
    file.write_text("old")

    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \ud800", 0o600)

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_output_that_is_a_folder_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "out.yml").mkdir()

    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "out.yml", "new", 0o600)

    assert [path.name for path in tmp_path.iterdir()] == ["out.yml"]


def test_a_setting_may_have_the_name_that_another_system_has_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (tmp_path / "secret").write_text("p\n")
    lookup = settings_lookup({"SMTP_TO": "a@b", "SMTP_PASS_FILE": str(tmp_path / "secret")}, None)

    assert (lookup("ALERT_EMAIL"), lookup("SMTP_PASSWORD")) == ("a@b", "p")
    assert "alias name=SMTP_TO setting=ALERT_EMAIL" in caplog.text
    assert "alias name=SMTP_PASS setting=SMTP_PASSWORD" in caplog.text


def test_our_own_name_wins_over_another_systems() -> None:
    lookup = settings_lookup({"SMTP_TO": "theirs", "ALERT_EMAIL": "ours"}, None)

    assert lookup("ALERT_EMAIL") == "ours"
