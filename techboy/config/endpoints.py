"""Endpoints to listen on, from Twisted's descriptions of server endpoints."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint

from techboy import systems
from techboy.net.inherited_socket import InheritedEndpoint
from techboy.net.reactor import IReactor

DOMAINS = ("INET", "INET6", "UNIX")

FIRST = 3
"""The number of the first descriptor that a service manager passes."""

# the loopback address, and the number of fields without a name that include an address
_LOOPBACK = {"tcp": ("127.0.0.1", 2), "tcp6": (r"\:\:1", 2), "ssl": ("127.0.0.1", 5)}
_FIELD = re.compile(r"(?:\\.|[^:\\])+")
_PASSED = re.compile(rf"systemd:domain=({'|'.join(DOMAINS)}):index=(\d+)", re.ASCII)
_ENVIRONMENT = Path("/proc/self/environ")


def initial_environment(path: Path = _ENVIRONMENT) -> Mapping[str, str]:
    """Return the environment with which this process was started, or the current one if ``path`` is missing.

    Twisted removes $LISTEN_PID and $LISTEN_FDS from the current one when its endpoints are imported.
    """
    try:
        variables = path.read_bytes().split(b"\0")
    except OSError:  # a system other than Linux
        return os.environ
    pairs = (os.fsdecode(variable).partition("=") for variable in variables)
    return {name: value for name, _, value in pairs if name}


def descriptors(environ: Mapping[str, str] | None = None, first: int = FIRST) -> range:
    """Return the descriptors that a service manager passed to this process: sd_listen_fds(3).

    They need no names (``$LISTEN_FDNAMES``). Raise ValueError if ``$LISTEN_FDS`` is invalid.
    """
    environ = initial_environment() if environ is None else environ
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return range(first, first)
    count = environ.get("LISTEN_FDS", "")
    if not (count.isascii() and count.isdigit()):
        raise ValueError(f"invalid number {count!r}: expected how many descriptors are passed")
    return range(first, first + int(count))


def server(
    reactor: IReactor, text: str, descriptors: Callable[[], range] = descriptors
) -> IStreamServerEndpoint:
    """Return the endpoint that ``text`` describes; raise ValueError, in one line, where it is none."""
    try:
        by_index = _PASSED.fullmatch(text)
        if by_index is not None:
            descriptor = _nth(descriptors(), int(by_index[2]))
            return _adopted(reactor, descriptor, socket.AddressFamily[f"AF_{by_index[1]}"])
        endpoint = cast(IStreamServerEndpoint, serverFromString(reactor, text))
    except Exception as error:  # each kind of endpoint has errors of its own
        raise ValueError(f"{text}: {reason_for(error)}") from None
    if isinstance(endpoint, AdoptedStreamServerEndpoint):
        return _adopted(reactor, endpoint.fileno, endpoint.addressFamily)
    return endpoint


def refuse_missing(text: str, platform: str) -> None:
    """Raise ValueError, with one line, if ``platform`` does not support the endpoint ``text``."""
    if text.startswith("unix:") and not systems.has_unix_sockets(platform):
        raise ValueError(f"{text}: UNIX sockets are not supported on Windows")
    if is_passed(text) and not systems.has_manager(platform):
        raise ValueError(f"{text}: sockets of a service manager are not supported on Windows")


def is_passed(text: str) -> bool:
    """Return whether ``text`` describes a socket that a service manager passes."""
    return text.startswith("systemd:")


def on_loopback(text: str) -> str:
    """Return the endpoint ``text``, on the loopback address if it has a port and no address.

    Raise ValueError for a bare number.
    """
    if text.isdecimal():
        raise ValueError(f"invalid endpoint {text!r}: expected for example tcp:{text}")
    kind, *fields = _FIELD.findall(text) or [""]
    if kind not in _LOOPBACK:
        return text
    address, with_address = _LOOPBACK[kind]
    unnamed = [field for field in fields if "=" not in field]
    if len(unnamed) >= with_address or any(field.startswith("interface=") for field in fields):
        return text
    return f"{text}:interface={address}"


def inherited_sockets(descriptors: Callable[[], range] = descriptors) -> list[str]:
    """Return descriptions of the sockets that a service manager passed to this process.

    Raise ValueError if one of them is not a listening socket.
    """
    return [
        f"systemd:domain={_domain(descriptor)}:index={index}"
        for index, descriptor in enumerate(descriptors())
    ]


def reason_for(error: BaseException | None) -> str:
    """Return in one line why an endpoint cannot listen."""
    if isinstance(error, CannotListenError):
        error = error.socketError
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0] or type(error).__name__


def _nth(passed_descriptors: range, index: int) -> int:
    if index >= len(passed_descriptors):
        raise ValueError(f"no such socket was passed: expected an index below {len(passed_descriptors)}")
    return passed_descriptors[index]


def _adopted(reactor: IReactor, descriptor: int, family: socket.AddressFamily) -> IStreamServerEndpoint:
    """Return the endpoint of a socket that listens already."""
    if family is socket.AF_UNIX:
        return InheritedEndpoint(reactor, descriptor)
    return cast(IStreamServerEndpoint, AdoptedStreamServerEndpoint(reactor, descriptor, family))


def _domain(descriptor: int) -> str:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as passed_socket:
            domain = passed_socket.family.name.removeprefix("AF_")
            listens = passed_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ValueError(f"descriptor {descriptor}: {reason_for(error)}") from None
    if not listens or domain not in DOMAINS:
        raise ValueError(f"descriptor {descriptor} is not a listening socket")
    return domain
