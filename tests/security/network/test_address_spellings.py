"""Threat: an unusual spelling makes a private address look public, or a name resolves to one."""

# The look-alike letters in this file are intended.

import ipaddress

import pytest
from http_peers import opened, rule
from hypothesis import given
from hypothesis import strategies as st

from codeact_bridges.errors import BadRequest, NotAllowed
from codeact_bridges.network import addresses
from codeact_bridges.network.resolver import TableResolver

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    *("169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:93.184.216.34", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:5db8:d822::", "2001::1"),
    *("2001:0:5db8:d822::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "2001:10::1"),
]
PUBLIC = ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_that_resolves_to_a_non_public_address_is_refused(address: str) -> None:
    resolver = TableResolver({"rebound.example": [[address]]})
    async with opened(rule("rebound.example", port=9), resolver=resolver) as guest:
        with pytest.raises(NotAllowed, match=r"rebound\.example"):
            await guest.get("http://rebound.example:9/")
        (access,) = guest.usage.accesses
        assert access.decision == "deny"


@pytest.mark.parametrize("mixture", [["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"]])
async def test_a_name_with_one_private_address_is_refused_whatever_its_other_addresses(mixture: list[str]) -> None:
    async with opened(rule("mixed.example"), resolver=TableResolver({"mixed.example": [mixture]})) as guest:
        with pytest.raises(NotAllowed, match=r"127\.0\.0\.1"):
            await guest.get("http://mixed.example/")


async def test_the_refusal_of_an_address_names_the_rule_that_would_allow_it() -> None:
    async with opened(rule("inside.example"), resolver=TableResolver({"inside.example": [["10.1.2.3"]]})) as guest:
        with pytest.raises(NotAllowed, match=r"(?s)10\.1\.2\.3.*private = true") as refused:
            await guest.get("https://inside.example/")
    assert refused.value.guest_type == "PermissionError"


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.01"),
        *("0x7f.0x0.0x0.0x1", "127.000.000.001", "1.1.1.1.1", "256.0.0.1", "127.0.0.0x1", "0x"),
        *("１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "127.0.0.1%00", "127.0.0.1%2eexample.com", "[::1%25lo]"),
        *("[::ffff:127.1]", "[::1", "::1", "[127.0.0.1]", "[v1.a]", "%6c%6fcalhost", "loc\u00adalhost", "ⓛocalhost"),
        *("-a.example", "a..example", ".example", "a" * 64, "exa mple", "exa+mple"),
    ],
)
async def test_an_unusual_spelling_of_a_host_is_refused(host: str) -> None:
    everything = [rule("127.0.0.1", private=True), rule("localhost", private=True), rule("::1", private=True)]
    async with opened(*everything, resolver=TableResolver({})) as guest:
        with pytest.raises(BadRequest):
            await guest.get(f"http://{host}/")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:0.0.0.0", "255.255.255.255"])
async def test_an_address_that_no_host_can_have_is_refused_even_with_a_private_rule(address: str) -> None:
    resolver = TableResolver({"nowhere.example": [[address]]})
    async with opened(rule("nowhere.example", private=True), resolver=resolver) as guest:
        with pytest.raises(NotAllowed, match="no rule can allow it"):
            await guest.get("http://nowhere.example/")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(address))


@given(st.ip_addresses())
def test_no_address_that_python_calls_special_is_public(address: addresses.Address) -> None:
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    if special or address.is_reserved or address.is_unspecified:
        assert not addresses.is_public(address) or address in ipaddress.ip_network("64:ff9b::/96")
