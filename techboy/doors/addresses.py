"""How an address is written for people."""

from __future__ import annotations

import os
import sys

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

LONGEST_PATH = 103 if sys.platform == "darwin" else 107
"""Bytes in the path of a UNIX socket: unix(7), and its namesake elsewhere."""


def peer_of(address: IAddress | None) -> str:
    """Return who called: ``('127.0.0.1', 33770)``, or what can be said where it was no TCP."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return str((address.host, address.port))
    return "(on this machine)" if isinstance(address, UNIXAddress) else f"({address})"


def place_of(address: IAddress) -> str:
    """Return where a port listens: ``0.0.0.0:4444``, ``[::1]:4444`` or the path of a socket."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return host_and_port(address.host, address.port)
    return os.fsdecode(address.name or "") if isinstance(address, UNIXAddress) else str(address)


def host_and_port(host: str, port: int) -> str:
    """Return ``host:port``, an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
