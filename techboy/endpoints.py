"""What can be listened on, as text: Twisted's descriptions of server endpoints."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from typing import Any, cast

from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint

from techboy.doors.passed import PassedSocket

DOMAINS = ("INET", "INET6", "UNIX")

# the address that is this machine alone, and how many fields come before one that has no name
_LOOPBACK = {"tcp": ("127.0.0.1", 2), "tcp6": (r"\:\:1", 2), "ssl": ("127.0.0.1", 5)}
_FIELD = re.compile(r"(?:\\.|[^:\\])+")


def server(reactor: Any, text: str) -> IStreamServerEndpoint:
    """Return the endpoint that ``text`` describes; raise ValueError, in one line, where it is none."""
    try:
        endpoint = cast(IStreamServerEndpoint, serverFromString(reactor, text))
    except Exception as refused:  # each kind of endpoint has errors of its own
        raise ValueError(f"{text}: {reason_for(refused)}") from None
    if isinstance(endpoint, AdoptedStreamServerEndpoint) and endpoint.addressFamily.name == "AF_UNIX":
        return PassedSocket(reactor, endpoint.fileno)
    return endpoint


def is_passed(text: str) -> bool:
    """Tell whether ``text`` describes what a service manager has to pass."""
    return text.startswith("systemd:")


def on_loopback(text: str) -> str:
    """Return ``text`` with the address of this machine alone, where it says a port and no address.

    Raise ValueError for a bare number.
    """
    if text.isdecimal():
        raise ValueError(f"an endpoint as tcp:{text} is wanted, not {text!r}")
    kind, *fields = _FIELD.findall(text) or [""]
    if kind not in _LOOPBACK:
        return text
    address, most = _LOOPBACK[kind]
    unnamed = [field for field in fields if "=" not in field]
    if len(unnamed) >= most or any(field.startswith("interface=") for field in fields):
        return text
    return f"{text}:interface={address}"


def passed(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return descriptions of the sockets that a service manager passed to this process: sd_listen_fds(3).

    Raise ValueError where one of them can't be listened on.
    """
    # Twisted takes $LISTEN_PID and $LISTEN_FDS out of the environment when its endpoints are imported, and
    # knows of no descriptors without names
    if "LISTEN_FDNAMES" not in environ:
        return []
    descriptions: list[str] = []
    while (descriptor := _passed(len(descriptions))) is not None:
        descriptions.append(f"systemd:domain={_domain(descriptor)}:index={len(descriptions)}")
    return descriptions


def reason_for(error: BaseException | None) -> str:
    """Return in one line why something can't be listened on."""
    if isinstance(error, CannotListenError):
        error = error.socketError
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0] or type(error).__name__


def _passed(index: int) -> int | None:
    try:
        return cast(int, serverFromString(cast(Any, None), f"systemd:domain=INET:index={index}").fileno)
    except IndexError:
        return None


def _domain(descriptor: int) -> str:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as passed_socket:
            domain = passed_socket.family.name.removeprefix("AF_")
            listens = passed_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as refused:
        raise ValueError(f"descriptor {descriptor}: {reason_for(refused)}") from None
    if not listens or domain not in DOMAINS:
        raise ValueError(f"descriptor {descriptor} is no socket that can be called")
    return domain
