"""From which address a request comes: the connection's peer, or what the trusted proxies in front say of it. Pure.

What a header says is believed only as far as proxies are configured: anybody can write the rest of it.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence


def client_of(peer: str, forwarded: Sequence[str], proxies: int) -> str:
    """The client's network as text, empty where it is not known.

    ``forwarded`` are the values of the header X-Forwarded-For. Each proxy appends the address of whom it speaks with:
    the last one's client is the first from the right. With fewer entries than proxies, a request came past them: its
    peer is its client. An IPv6 client is its /64, within which a single home has all addresses.
    """
    hops = [hop for value in forwarded for hop in value.split(",")]
    said = hops[-proxies] if 0 < proxies <= len(hops) else ""
    return _network(said) or _network(peer)


def _network(text: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one; empty for what is neither."""
    try:
        address = ipaddress.ip_address(_without_port(text.strip()))
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


def _without_port(text: str) -> str:
    """``192.0.2.1:80`` and ``[2001:db8::1]:80`` as some proxies write them."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def hashed(what: str, name: str, secret: str) -> str:
    """A name under which something is counted and that does not tell it; those of two kinds never meet."""
    return hmac.new(secret.encode(), f"{what} {name}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
