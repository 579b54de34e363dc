"""The addresses that answers announce (RFC 8839, RFC 6544): UDP, and TCP passive on the same port."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

import ifaddr

# RFC 8445 section 5.1.2.1: 126 for host candidates; UDP before TCP, IPv6 and IPv4 by their order.
HOST_PREFERENCE = 126
UDP_PREFERENCE = 65_535
# RFC 6544 section 4.2: direction preference of passive in the upper three bits.
TCP_PREFERENCE = (2 << 13) | 8_191


def announced(
    bound: Sequence[str], public: Sequence[str], *, loopback: bool, interfaces: Iterable[str] | None = None
) -> list[str]:
    """Addresses that clients are to try. `public` ones replace those of the interfaces.

    `interfaces` are this host's own addresses; they are looked up where not given. Raises ValueError for text
    that is no address.
    """
    if public:
        found = [str(ipaddress.ip_address(address)) for address in public]
    else:
        hosts = list(local_addresses() if interfaces is None else interfaces)
        found = [address for bind in bound for address in _reached_by(bind, hosts)]
    if loopback:
        found += [_loopback_of(bind) for bind in bound]
    return list(dict.fromkeys(found))


def local_addresses() -> list[str]:
    """Addresses of all interfaces, without loopback and link-local ones."""
    texts = [
        ip.ip if isinstance(ip.ip, str) else ip.ip[0]
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    addresses = [ipaddress.ip_address(text) for text in texts]
    return [str(address) for address in addresses if not (address.is_loopback or address.is_link_local)]


def candidate_lines(addresses: Iterable[str], port: int, *, tcp: bool) -> list[str]:
    """Values of `a=candidate:` lines for component 1: RTCP is multiplexed."""
    hosts = list(addresses)
    lines = []
    for index, address in enumerate(hosts):
        priority = _priority(UDP_PREFERENCE - index)
        lines.append(f"{2 * index + 1} 1 udp {priority} {address} {port} typ host generation 0")
    for index, address in enumerate(hosts if tcp else []):
        priority = _priority(TCP_PREFERENCE - index)
        lines.append(
            f"{2 * index + 2} 1 tcp {priority} {address} {port} typ host tcptype passive generation 0"
        )
    return lines


def _priority(local_preference: int) -> int:
    return (HOST_PREFERENCE << 24) | (local_preference << 8) | 255


def _reached_by(bind: str, hosts: list[str]) -> list[str]:
    address = ipaddress.ip_address(bind)
    if not address.is_unspecified:
        return [str(address)]
    same_family = [host for host in hosts if ipaddress.ip_address(host).version == address.version]
    # A host without any network serves itself.
    return same_family or [_loopback_of(bind)]


def _loopback_of(bind: str) -> str:
    return "127.0.0.1" if ipaddress.ip_address(bind).version == 4 else "::1"
