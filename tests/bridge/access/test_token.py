from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec
import pytest

from pushgateway_bridge.access.token import KnownToken, Right, Token, hash_secret, new_secret

NOW_MS = 1_770_000_000_000


def token_of(**fields: Any) -> Token:
    """A token made a second ago that may push for ever, but for *fields*."""
    made = Token(id=7, name="nas", sha256=hash_secret("x"), rights=(Right.PUSH,), created_ms=NOW_MS - 1000)
    return msgspec.structs.replace(made, **fields)


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        pytest.param({}, None, id="good for ever"),
        pytest.param({"expires_ms": NOW_MS + 1}, None, id="good for a millisecond more"),
        pytest.param({"expires_ms": NOW_MS}, "has expired", id="expires now"),
        pytest.param({"expires_ms": NOW_MS - 1}, "has expired", id="expired"),
        pytest.param({"revoked_ms": NOW_MS - 1}, "was revoked", id="revoked"),
        pytest.param({"revoked_ms": NOW_MS - 1, "expires_ms": NOW_MS - 2}, "was revoked", id="both"),
        pytest.param({"activate_before_ms": NOW_MS + 1}, None, id="still to be used"),
        pytest.param(
            {"activate_before_ms": NOW_MS},
            "was not used within 5 minutes of its making: make a new one",
            id="not used in time",
        ),
        pytest.param(
            {"activate_before_ms": NOW_MS - 1, "activated_ms": NOW_MS - 2}, None, id="was used in time"
        ),
        pytest.param(
            {"activate_before_ms": NOW_MS - 1, "activated_ms": NOW_MS - 2, "expires_ms": NOW_MS - 1},
            "has expired",
            id="was used in time, and expired later",
        ),
    ],
)
def test_a_token_says_why_it_is_not_good(fields: dict[str, Any], flaw: str | None) -> None:
    assert token_of(**fields).flaw(NOW_MS) == flaw


@pytest.mark.parametrize("right", Right)
def test_a_token_may_do_what_its_rights_say_and_admin_everything(right: Right) -> None:
    others = tuple(one for one in Right if one not in (right, Right.ADMIN))

    assert token_of(rights=(right,)).may(right)
    assert token_of(rights=(Right.ADMIN,)).may(right)
    assert not token_of(rights=others).may(right)
    assert not token_of(rights=()).may(right)


@pytest.mark.parametrize(
    ("fields", "may"),
    [
        ({}, True),
        ({"rights": (Right.ADMIN,)}, True),
        ({"rights": (Right.READ, Right.DELETE)}, False),
        ({"revoked_ms": 1}, False),
        ({"expires_ms": NOW_MS}, False),
        ({"activate_before_ms": NOW_MS + 1}, False),
        ({"activate_before_ms": NOW_MS + 1, "activated_ms": NOW_MS - 1}, True),
    ],
    ids=["good", "admin", "no right", "revoked", "expired", "first use to be noted", "first use noted"],
)
def test_a_push_needs_nothing_else_only_if_the_token_is_good_and_used_before(
    fields: dict[str, Any], may: bool
) -> None:
    assert KnownToken(token_of(**fields)).may_push(NOW_MS) is may


def test_a_token_that_was_replaced_is_good_for_nothing() -> None:
    known = KnownToken(token_of())
    known.withdrawn = True

    assert not known.may_push(NOW_MS)


def test_a_push_is_known_by_number_name_owner_and_source_of_its_token() -> None:
    pusher = KnownToken(token_of(owner=3, job="backup", instance="nas")).pusher

    assert (pusher.token_id, pusher.name, pusher.owner, pusher.job, pusher.instance) == (
        7,
        "nas",
        3,
        "backup",
        "nas",
    )


def test_secrets_are_256_bits_in_hexadecimal_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(1000)}

    assert len(secrets) == 1000
    assert all(re.fullmatch("[0-9a-f]{64}", secret) for secret in secrets)


@pytest.mark.parametrize("text", ["", "abc", "töken", "a\nb", "\udcff"], ids=ascii)
def test_whatever_text_comes_has_a_hash(text: str) -> None:
    assert hash_secret(text) == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@pytest.mark.parametrize(
    "fields",
    [
        {"id": 0},
        {"id": 2**53 + 1},
        {"sha256": "A" * 64},
        {"sha256": "a" * 63},
        {"rights": ["fly"]},
        {"name": "n" * 101},
        {"created_ms": -1},
        {"expires_ms": 2**53 + 1},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_token_that_makes_no_sense_is_not_read(fields: dict[str, Any]) -> None:
    document = {"id": 1, "name": "n", "sha256": "a" * 64, "rights": ["push"], "created_ms": 1}
    assert msgspec.convert(document, Token).id == 1

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document | fields, Token)
