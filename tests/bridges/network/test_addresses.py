"""Which addresses belong to the public internet."""

import ipaddress

import pytest

from codeact_bridges.network.addresses import embedded_ipv4, is_host, is_public, literal


@pytest.mark.parametrize("address", ["8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1", "64:ff9b::808:808"])
def test_a_global_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254"),
        *("168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.19.255.255"),
        *("224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:8.8.8.8", "::8.8.8.8", "fc00::1", "fd00:ec2::254"),
        *("fe80::1", "2606:4700::1%eth0", "ff02::1", "2001::1", "2001:db8::1", "2002:808:808::", "64:ff9b::a00:1"),
        *("64:ff9b:1::1", "3fff::1"),
    ],
)
def test_an_address_of_this_machine_or_a_private_network_is_not(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "::ffff:0.0.0.0"])
def test_no_host_has_an_unspecified_or_a_multicast_address(address: str) -> None:
    assert not is_host(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "fe80::1%eth0", "64:ff9b::7f00:1"])
def test_a_private_address_is_one_of_a_host(address: str) -> None:
    assert is_host(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"])
def test_the_ipv4_address_within_is_found(address: str) -> None:
    assert str(embedded_ipv4(ipaddress.IPv6Address(address))) == "127.0.0.1"


@pytest.mark.parametrize("host", ["example.org", "127.1", "0x7f000001", "2130706433", "127.0.0.01", ""])
def test_only_a_canonical_address_is_a_literal(host: str) -> None:
    assert literal(host) is None
