"""Which addresses belong to the public internet. Pure.

The lists are the IANA special-purpose registries (IPv4 and IPv6, as of 2026) and the addresses from which clouds serve
credentials. They are written out because `ipaddress.is_global` changed between Python 3.11 and 3.13.
"""

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NOT_PUBLIC_4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT, and Alibaba's metadata
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's host, which every virtual machine can reach
            "169.254.0.0/16",  # link-local, and the metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments, and Oracle's metadata
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
"""Global unicast. Mapped, compatible, unique local, link-local and multicast addresses are outside of it."""
_NOT_PUBLIC_6 = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments, and Teredo, which carries IPv4
            "2001:db8::/32",
            "2002::/16",  # 6to4, which carries IPv4
            "2620:4f:8000::/48",
            "3ffe::/16",
            "3fff::/20",
        ),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""For networks without IPv4 to reach IPv4 hosts. As public as the IPv4 address in the last four bytes."""

_NO_HOST_4 = tuple(map(ipaddress.IPv4Network, ("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32")))
_NO_HOST_6 = tuple(map(ipaddress.IPv6Network, ("::/128", "ff00::/8")))


def is_public(address: Address) -> bool:
    """Whether this can only be the address of a host on the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


def is_host(address: Address) -> bool:
    """Whether a host can have this address: not unspecified (which systems treat as loopback), not multicast."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NO_HOST_4)
    inner = embedded_ipv4(address)
    if inner is not None and not is_host(inner):
        return False
    plain = ipaddress.IPv6Address(int(address))
    return not any(plain in network for network in _NO_HOST_6)


def embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a system would really connect to, for the forms that systems translate."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour


def literal(host: str) -> Address | None:
    """The address if the canonical host is one, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
