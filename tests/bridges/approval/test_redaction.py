"""What counts as a secret by its name or by its look."""

import pytest

from codeact_bridges.approval.redaction import MASKED, is_secret, without_secrets
from codeact_bridges.values import JsonValue


@pytest.mark.parametrize("name", ["password", "dbPasswd", "x_api_key", "apikeys", "client_secret", "PIN", "cookie_jar"])
def test_a_name_says_that_its_value_is_secret(name: str) -> None:
    assert is_secret(name, "hunter2")


@pytest.mark.parametrize("name", ["author", "key", "pinned", "passenger", "authority"])
def test_a_name_that_only_looks_like_one_of_those_is_no_secret(name: str) -> None:
    assert not is_secret(name, "hunter2")


@pytest.mark.parametrize(("name", "value"), [("token", None), ("token", ""), ("auth", True), ("max_tokens", 500)])
def test_a_value_that_cannot_be_a_secret_is_none_whatever_its_name(name: str, value: JsonValue) -> None:
    assert not is_secret(name, value)


def test_only_the_end_of_a_long_name_is_searched() -> None:
    assert is_secret("x" * 10_000_000 + "password", "hunter2")
    assert not is_secret("secret" + "x" * 100, "hunter2")


def test_every_secret_in_a_text_is_masked_and_nothing_else() -> None:
    text = "a ghp_0123456789abcdef b AKIA0123456789abcdef c sk-0123456789abcdef d"

    assert without_secrets(text) == f"a {MASKED} b {MASKED} c {MASKED} d"


def test_a_private_key_is_masked_to_the_end_of_the_text() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nMII"

    assert without_secrets(f"key: {key}") == f"key: {MASKED}"
