"""Tests of `techboy.systems`."""

from __future__ import annotations

import pytest

from techboy.systems import has_manager, has_unix_sockets, of_manager, unused

SAID = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "", "HOME": "/home/juliet"}


class SystemsTests:
    """What a system has."""

    @pytest.mark.parametrize("platform", ["linux", "darwin", "freebsd14"])
    def test_elsewhere(self, platform: str) -> None:
        """All but Windows have everything."""
        assert has_unix_sockets(platform)
        assert has_manager(platform)
        assert of_manager(SAID, platform) is SAID
        assert unused(SAID, platform) == []

    def test_windows(self) -> None:
        """Windows has neither UNIX sockets nor systemd, and of what is set it is said that it is not used."""
        assert not has_unix_sockets("win32")
        assert not has_manager("win32")
        assert of_manager(SAID, "win32") == {}
        assert unused(SAID, "win32") == ["the reload at SIGHUP", "$NOTIFY_SOCKET"]
