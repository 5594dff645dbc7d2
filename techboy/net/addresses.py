"""Formatting addresses, and parsing host names with a port."""

from __future__ import annotations

import os
import re
import socket
import sys
from contextlib import suppress
from ipaddress import IPv6Address as Version6

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

LONGEST_PATH = 103 if sys.platform == "darwin" else 107
"""Maximum length of the path of a UNIX socket in bytes; see unix(7)."""

_BRACKETED = re.compile(r"\[([^]]*)\](?::(.*))?", re.DOTALL)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_LONGEST_LABEL, _LONGEST_NAME = 63, 253  # RFC 1035, section 2.3.4


def host_in(text: str) -> tuple[str, str | None]:
    """Return the host in ``text``, and the text of its port if there is one.

    The host is a name or an IP address, alone or as ``HOST:PORT``. An IPv6 address has to be in brackets
    before a port, and may be otherwise. Raise ValueError if it is not a valid host.
    """
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed is not None:
        host, port = bracketed[1], bracketed[2]
        valid = _is_version_6(host)
    elif _is_version_6(text):
        return text, None
    else:
        host, separator, rest = text.partition(":")
        port = rest if separator else None
        valid = _is_version_4(host) if _NUMBER.fullmatch(host.split(".")[-1]) else _is_name(host)
    if not valid or (port is not None and not port.isalnum()):
        raise ValueError(
            f"invalid host {text!r}: expected a name or an IP address, or HOST:PORT or [IPV6]:PORT"
        )
    return host, port


def peer_of(address: IAddress | None) -> str:
    """Return the address of a client as it is shown: ``('127.0.0.1', 33770)``, or a remark without TCP."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return str((address.host, address.port))
    return "(on this machine)" if isinstance(address, UNIXAddress) else f"({address})"


def place_of(address: IAddress) -> str:
    """Return the address of a listening port: ``0.0.0.0:4444``, ``[::1]:4444`` or the path of a socket."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return host_and_port(address.host, address.port)
    return os.fsdecode(address.name or "") if isinstance(address, UNIXAddress) else str(address)


def endpoint_of(address: IAddress | None) -> str:
    """Return a peer's address as it is logged: ``127.0.0.1:33770``, ``[::1]:33770``, a path, or ``unix``."""
    return "unknown" if address is None else place_of(address) or "unix"


def host_and_port(host: str, port: int) -> str:
    """Return ``host:port``, with an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_version_6(text: str) -> bool:
    with suppress(ValueError):
        return bool(Version6(text))
    return False


def _is_version_4(text: str) -> bool:
    """Return whether ``text`` is an IPv4 address in any form of inet_aton(3); 0.0.0.1 is not."""
    with suppress(OSError):
        address = socket.inet_aton(text)
        return address[0] != 0 or not any(address)
    return False


def _is_name(text: str) -> bool:
    try:
        name = text.encode("idna").decode("ascii").removesuffix(".")
    except UnicodeError:
        return False
    return len(name) <= _LONGEST_NAME and all(
        len(label) <= _LONGEST_LABEL and _LABEL.fullmatch(label) for label in name.split(".")
    )
