"""Tests of `techboy.doors.addresses`."""

from __future__ import annotations

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress

from techboy.doors.addresses import host_and_port, peer_of, place_of


class AddressTests:
    """How addresses are written."""

    def test_who(self) -> None:
        """A caller is written as Python writes a socket's address, as the original did."""
        assert peer_of(IPv4Address("TCP", "127.0.0.1", 33770)) == "('127.0.0.1', 33770)"
        assert peer_of(IPv6Address("TCP", "::1", 33770)) == "('::1', 33770)"
        assert peer_of(UNIXAddress(None)) == "(on this machine)"
        assert "verona" in peer_of(HostnameAddress(b"verona", 1))

    def test_where(self) -> None:
        """A port is written as one would write it in an address."""
        assert place_of(IPv4Address("TCP", "0.0.0.0", 4444)) == "0.0.0.0:4444"
        assert place_of(IPv6Address("TCP", "::1", 4444)) == "[::1]:4444"
        assert place_of(UNIXAddress("/run/romeo")) == "/run/romeo"
        assert "verona" in place_of(HostnameAddress(b"verona", 1))
        assert host_and_port("verona", 4444) == "verona:4444"
