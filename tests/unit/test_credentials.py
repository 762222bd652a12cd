"""Keys and passwords: made, recognised, kept as hashes."""

import re
from typing import get_args

import pytest

from pgqueue import credentials
from pgqueue.errors import UsageError
from pgqueue.models.access import ROLES, SCOPES, Role


def test_a_key_is_recognised_and_a_wrong_letter_is_noticed():
    for _ in range(50):
        key = credentials.new_api_key()
        assert re.fullmatch(r"pgq_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", key.text)
        assert credentials.parse_api_key(key.text) == key
        for place in range(len(key.text)):
            other = "a" if key.text[place] != "a" else "b"
            assert (
                credentials.parse_api_key(key.text[:place] + other + key.text[place + 1 :]) is None
            )


@pytest.mark.parametrize("text", ["", "pgq_", "pgq_" + "a" * 62, "x" * 100_000, "pgq_ä_b", "\0"])
def test_what_never_was_a_key_is_none(text: str):
    assert credentials.parse_api_key(text) is None


def test_a_password_fits_its_hash_alone():
    hashed = credentials.hash_password("correct horse battery")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert credentials.hash_password("correct horse battery") != hashed
    assert credentials.password_fits("correct horse battery", hashed)
    for password, against in (
        ("wrong", hashed),
        ("", hashed),
        ("correct horse battery", None),
        ("x" * 5000, hashed),
        ("correct horse battery", "not a hash"),
    ):
        assert not credentials.password_fits(password, against)


@pytest.mark.parametrize("length", [0, 11, 1025])
def test_a_password_of_no_good_length_is_refused(length: int):
    with pytest.raises(UsageError, match="12 to 1,024"):
        credentials.hash_password("x" * length)


def test_every_role_has_its_scopes():
    assert set(ROLES) == set(get_args(Role))
    assert set().union(*ROLES.values()) == set(SCOPES)
