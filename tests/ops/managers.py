"""A service manager's end of the notify protocol."""

from __future__ import annotations

import socket
from pathlib import Path


class ServiceManager:
    """A real socket for datagrams, at ``path`` or at a name (``@``) that is no path."""

    def __init__(self, path: Path | str) -> None:
        self.environment = {"NOTIFY_SOCKET": str(path)}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path).replace("@", "\0"))
        self._socket.setblocking(False)

    def told(self) -> list[str]:
        """Return what was told since this was asked last."""
        messages: list[str] = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        """Be gone."""
        self._socket.close()
