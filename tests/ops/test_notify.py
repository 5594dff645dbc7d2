"""Tests of what a service manager is told."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from techboy.ops.notify import MAX_STATUS_LENGTH, Notifier, watchdog_seconds
from tests.marks import needs_unix_sockets
from tests.ops.managers import ServiceManager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    """Return a service manager that listens at a path."""
    listening = ServiceManager(tmp_path / "notify")
    yield listening
    listening.close()


@pytest.fixture
def notifier(manager: ServiceManager) -> Iterator[Notifier]:
    """Return who tells it."""
    telling = Notifier(manager.environment)
    yield telling
    telling.close()


@needs_unix_sockets
class NotifierTests:
    """A service manager that listens."""

    def test_messages(self, manager: ServiceManager, notifier: Notifier) -> None:
        """Each word is one datagram, as sd_notify(3) describes it."""
        assert notifier.has_listener
        assert notifier.ready("3 guests")
        assert notifier.status("4 guests")
        assert notifier.watchdog()
        assert notifier.reloading(81_234_567)
        assert notifier.stopping("leaving")
        assert manager.told() == [
            "READY=1\nSTATUS=3 guests",
            "STATUS=4 guests",
            "WATCHDOG=1",
            "RELOADING=1\nMONOTONIC_USEC=81234567",
            "STOPPING=1\nSTATUS=leaving",
        ]

    def test_same_status(self, manager: ServiceManager, notifier: Notifier) -> None:
        """A status is sent when it is another one, whatever it was sent with before."""
        notifier.ready("one")
        for text in ("one", "two", "two", "one"):
            assert notifier.status(text)
        assert manager.told() == ["READY=1\nSTATUS=one", "STATUS=two", "STATUS=one"]

    def test_unclean_status(self, manager: ServiceManager, notifier: Notifier) -> None:
        """A status is one line without controls, so that nobody can put a word of its own into it."""
        notifier.status("a\nREADY=1\x1b[2J\u2028b\ud800")
        assert manager.told() == ["STATUS=a\ufffdREADY=1\ufffd[2J\ufffdb\ufffd"]

    def test_long_status(self, manager: ServiceManager, notifier: Notifier) -> None:
        """A status that is too long is cut, and still compared as it was sent."""
        notifier.status("💌" * 5000)
        notifier.status("💌" * 6000)
        assert manager.told() == ["STATUS=" + "💌" * MAX_STATUS_LENGTH]

    def test_abstract(self) -> None:
        """A name that is no path is understood."""
        manager = ServiceManager(f"@techboy-test-{os.getpid()}")
        notifier = Notifier(manager.environment)
        notifier.watchdog()
        assert manager.told() == ["WATCHDOG=1"]
        notifier.close()
        manager.close()

    def test_not_inherited(self, notifier: Notifier) -> None:
        """A program that is started from here does not get the socket."""
        assert notifier._socket is not None
        assert not notifier._socket.get_inheritable()

    def test_closed(self, manager: ServiceManager, notifier: Notifier) -> None:
        """Once it is closed nothing is told, and to close it again does no harm."""
        notifier.close()
        notifier.close()
        assert not notifier.has_listener
        assert not notifier.ready("")
        assert manager.told() == []


class UnheardTests:
    """A service manager that does not listen, or is not there."""

    @needs_unix_sockets
    def test_gone(self, manager: ServiceManager, notifier: Notifier) -> None:
        """One that is gone is no reason to die; one that is back at the same place is told again."""
        manager.close()
        assert not notifier.status("one")
        path = manager.environment["NOTIFY_SOCKET"]
        os.unlink(path)
        assert not notifier.watchdog()
        back = ServiceManager(path)
        assert notifier.status("one")
        assert back.told() == ["STATUS=one"]
        back.close()

    @needs_unix_sockets
    def test_full(self, manager: ServiceManager, notifier: Notifier) -> None:
        """One that reads nothing makes nobody wait, and a status that it did not get is sent again."""
        told = 0
        while notifier.watchdog():
            told += 1
        assert not notifier.status("one")
        assert manager.told() == ["WATCHDOG=1"] * told
        assert notifier.status("one")
        assert manager.told() == ["STATUS=one"]

    @pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}])
    def test_nobody(self, environment: dict[str, str]) -> None:
        """Where there is no service manager nobody is told, and nothing is said about it."""
        with capturedLogs() as events:
            notifier = Notifier(environment)
        assert not notifier.has_listener
        assert not notifier.ready("ready")
        assert events == []

    @pytest.mark.parametrize("address", ["notify", "@", "vsock:2:1234", "\x1b[2J"])
    def test_other_addresses(self, address: str) -> None:
        """An address of another kind is left alone, and named in the log, where it does no harm."""
        with capturedLogs() as events:
            notifier = Notifier({"NOTIFY_SOCKET": address})
        assert not notifier.has_listener
        assert not notifier.watchdog()
        [event] = events
        assert event["address"] == address
        assert "{address!r}" in event["log_format"]

    def test_long_path(self) -> None:
        """An address that is longer than the system takes is one that nobody hears at."""
        notifier = Notifier({"NOTIFY_SOCKET": "/" + "x" * 200})
        assert not notifier.watchdog()
        notifier.close()

    @needs_unix_sockets
    def test_other_system(self, manager: ServiceManager, monkeypatch: pytest.MonkeyPatch) -> None:
        """A system may have no such sockets."""
        monkeypatch.delattr(socket, "AF_UNIX")
        assert not Notifier(manager.environment).has_listener

    @needs_unix_sockets
    def test_no_socket(self, manager: ServiceManager, monkeypatch: pytest.MonkeyPatch) -> None:
        """A system may have none left, which is logged."""

        def refuse(*args: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(socket, "socket", refuse)
        with capturedLogs() as events:
            assert not Notifier(manager.environment).has_listener
        assert len(events) == 1


class WatchdogTests:
    """How long a program may be silent."""

    @pytest.mark.parametrize(
        ("environment", "seconds"),
        [
            ({}, None),
            ({"WATCHDOG_USEC": ""}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "30000000"}, 30.0),
            ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": ""}, 0.5),
            ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "17"}, 0.5),
            ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "18"}, None),
            ({"WATCHDOG_PID": "17"}, None),
        ],
    )
    def test_seconds(self, environment: dict[str, str], seconds: float | None) -> None:
        """It is said in microseconds, to all or to one process."""
        assert watchdog_seconds(environment, 17) == seconds

    @pytest.mark.parametrize("text", ["soon", "-1", "1_000", " 7", "٣", "9" * 21])
    def test_no_number(self, text: str) -> None:
        """What is no number is left alone, and named in the log."""
        with capturedLogs() as events:
            assert watchdog_seconds({"WATCHDOG_USEC": text}, 17) is None
        [event] = events
        assert (event["name"], event["text"]) == ("WATCHDOG_USEC", text)


@needs_unix_sockets
@given(st.text(alphabet=st.characters(), min_size=1, max_size=MAX_STATUS_LENGTH + 20))
def test_status_is_one_short_line(text: str) -> None:
    """Whatever a status is, it is one datagram that can be read at once, with one line of UTF-8 in it."""
    with TemporaryDirectory() as folder:
        manager = ServiceManager(Path(folder, "notify"))
        notifier = Notifier(manager.environment)
        assert notifier.status(text)
        [message] = manager.told()
        notifier.close()
        manager.close()
    assert message.startswith("STATUS=")
    assert message.splitlines() == [message]
    assert len(message.encode()) < 4096
