"""Which addresses are public, and which others an operator allows.

Python's ``is_global`` is not enough: it accepts forms of IPv6 that carry an IPv4 address to a
gateway, such as NAT64's ``64:ff9b::7f00:1`` and 6to4's ``2002:7f00:1::``. So the networks of IANA's
registries of special-purpose addresses are listed and refused here, and of IPv6 only 2000::/3 is
accepted.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Self

from pgqueue.errors import UsageError

__all__ = ["Address", "Allowed", "is_public"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNICAST = ipaddress.ip_network("2000::/3")

_SPECIAL: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local: the metadata of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


def is_public(address: Address) -> bool:
    """Return whether an address is one of the public internet, whatever its form."""
    if address.version == 6 and (address not in _UNICAST or address.scope_id is not None):
        return False
    return address.is_global and not _in(address, _SPECIAL)


def _in(address: Address, networks: tuple[Network, ...]) -> bool:
    # an address is in no network of the other version
    return any(address in network for network in networks)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an operator allows besides public addresses: hosts by name, and networks."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read names and networks, separated by commas: ``hooks.internal, 10.1.0.0/16``.

        Raise ``UsageError`` for what is neither.
        """
        names: set[str] = set()
        networks: list[Network] = []
        for item in (part.strip().lower() for part in text.split(",")):
            if not item:
                continue
            try:
                networks.append(ipaddress.ip_network(item))
                continue
            except ValueError as error:
                # a name has no slash, and no last part that is a number
                if "/" in item or ":" in item or item.rstrip(".").rpartition(".")[2].isdigit():
                    message = f"{item!r} is neither the name of a host nor a network: {error}"
                    raise UsageError(
                        message, hint="such as hooks.internal or 10.1.0.0/16"
                    ) from None
            names.add(item.rstrip("."))
        return cls(frozenset(names), tuple(networks))

    def permits(self, host: str, address: Address) -> bool:
        """Return whether a host may be reached at one of its addresses."""
        return (
            is_public(address)
            or host.rstrip(".").lower() in self.names
            or _in(address, self.networks)
        )
