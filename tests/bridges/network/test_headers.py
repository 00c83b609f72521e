"""Which headers a program may set, and which follow a redirect."""

import pytest

from codeact_bridges.network.headers import (
    DEFAULTS,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    BadHeader,
    checked,
    complete,
    without_body,
    without_credentials,
)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Transfer-Encoding", "transfer_encoding", "CONNECTION", "Upgrade", "Expect"),
        *("X-HTTP-Method-Override", "x_http_method_override", "X-Original-URL", "Forwarded", "X-Forwarded-For"),
        *("x_forwarded_host", "Proxy-Authorization", "Sec-Fetch-Site", "HTTP2-Settings", ":authority"),
    ],
)
def test_a_header_of_the_connection_or_around_the_rules_is_refused(name: str) -> None:
    with pytest.raises(BadHeader):
        checked([(name, "x")], setter="programs")


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nHost", "ä", "a" * 101])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(BadHeader, match="not a valid header name"):
        checked([(name, "x")], setter="programs")


@pytest.mark.parametrize("value", ["a\r\nHost: b", "a\nb", "a\rb", "a\0b", "\u20ac", "\x7f"])
def test_a_value_that_could_begin_another_header_is_refused(value: str) -> None:
    with pytest.raises(BadHeader, match="cannot carry"):
        checked([("X-A", value)], setter="programs")


def test_the_error_says_who_must_not_set_the_header() -> None:
    with pytest.raises(BadHeader, match="the header Host cannot be set by rules"):
        checked([("Host", "x")], setter="rules")


def test_plain_headers_are_accepted_and_trimmed() -> None:
    assert checked([("X-A", " \t1\t"), ("Accept-Encoding", "br"), ("x-b", "")], setter="programs") == (
        ("X-A", "1"),
        ("x-b", ""),
    )


def test_headers_are_bounded_in_number_and_in_bytes() -> None:
    checked([("a", "")] * MAX_HEADERS, setter="programs")
    checked([("a", "x" * (MAX_HEADER_BYTES - 1))], setter="programs")
    with pytest.raises(BadHeader, match="more than"):
        checked([("a", "")] * (MAX_HEADERS + 1), setter="programs")
    with pytest.raises(BadHeader, match="more than"):
        checked([("a", "x" * MAX_HEADER_BYTES)], setter="programs")


def test_an_injected_header_replaces_the_programs_however_that_is_spelled() -> None:
    own = (("authorization", "mine"), ("x_api_key", "mine"), ("user-agent", "mine"))

    sent = complete(own, (("Authorization", "injected"), ("X-Api-Key", "injected")))

    assert dict(sent) == {
        "Authorization": "injected",
        "X-Api-Key": "injected",
        "user-agent": "mine",
        "Accept": "*/*",
        "Accept-Encoding": dict(DEFAULTS)["Accept-Encoding"],
    }


def test_credentials_do_not_follow_to_another_origin() -> None:
    credentials = (("Authorization", "x"), ("COOKIE", "x"), ("x_api_key", "x"), ("Private-Token", "x"))

    assert without_credentials((*credentials, ("Accept", "x"))) == (("Accept", "x"),)


def test_the_headers_of_a_body_go_with_it() -> None:
    assert without_body((("Content-Type", "x"), ("content_encoding", "x"), ("Accept", "x"))) == (("Accept", "x"),)
