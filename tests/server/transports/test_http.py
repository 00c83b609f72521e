"""The names accepted in Host and Origin."""

import socket

import pytest

from codeact_server.transports.http import bind, security

EVERYWHERE = "0.0.0.0"


def test_loopback_is_accepted_under_its_three_names_with_our_port_only() -> None:
    checks = security("127.0.0.1", (), 8765)

    assert checks.enable_dns_rebinding_protection
    assert checks.allowed_hosts == ["127.0.0.1:8765", "[::1]:8765", "localhost:8765"]


@pytest.mark.parametrize("host", [EVERYWHERE, "::", ""])
def test_a_wildcard_address_is_never_an_accepted_name(host: str) -> None:
    checks = security(host, (), 1)

    assert checks.enable_dns_rebinding_protection
    assert f"{socket.gethostname()}:1" in checks.allowed_hosts
    assert not {f"{host}:1", f"[{host}]:1", "*:1", "*"} & set(checks.allowed_hosts)


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert "[fd00::1]:80" in security("fd00::1", (), 80).allowed_hosts


def test_the_default_port_can_be_omitted() -> None:
    assert "localhost" in security("localhost", (), 80).allowed_hosts
    assert "localhost" not in security("localhost", (), 8765).allowed_hosts


def test_an_allowed_name_is_accepted_with_any_port_and_over_https() -> None:
    checks = security("127.0.0.1", ("code.example",), 8765)

    assert {"code.example", "code.example:*"} <= set(checks.allowed_hosts)
    assert {"https://code.example", "https://code.example:*"} <= set(checks.allowed_origins)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_binding_takes_a_free_port(host: str) -> None:
    with bind(host, 0) as listener:
        assert listener.getsockname()[1] > 0
