"""Tests of `techboy.net.addresses`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress

from techboy.net.addresses import endpoint_of, host_and_port, host_in, peer_of, place_of


class AddressTests:
    """How addresses are written."""

    def test_who(self) -> None:
        """A caller is written as Python writes a socket's address, as the original did."""
        assert peer_of(IPv4Address("TCP", "127.0.0.1", 33770)) == "('127.0.0.1', 33770)"
        assert peer_of(IPv6Address("TCP", "::1", 33770)) == "('::1', 33770)"
        assert peer_of(UNIXAddress(None)) == "(on this machine)"
        assert "verona" in peer_of(HostnameAddress(b"verona", 1))

    def test_peer_for_programs(self) -> None:
        """A log has a peer's address as host and port; a peer at a UNIX socket mostly has none."""
        assert endpoint_of(IPv4Address("TCP", "127.0.0.1", 33770)) == "127.0.0.1:33770"
        assert endpoint_of(IPv6Address("TCP", "::1", 33770)) == "[::1]:33770"
        assert endpoint_of(UNIXAddress("/run/x")) == "/run/x"
        assert endpoint_of(UNIXAddress(None)) == "unix"
        assert endpoint_of(None) == "unknown"

    def test_where(self) -> None:
        """A port is written as one would write it in an address."""
        assert place_of(IPv4Address("TCP", "0.0.0.0", 4444)) == "0.0.0.0:4444"
        assert place_of(IPv6Address("TCP", "::1", 4444)) == "[::1]:4444"
        assert place_of(UNIXAddress("/run/romeo")) == "/run/romeo"
        assert "verona" in place_of(HostnameAddress(b"verona", 1))
        assert host_and_port("verona", 4444) == "verona:4444"


class HostTests:
    """What may be written for a host."""

    @pytest.mark.parametrize(
        "host",
        [
            "verona", "verona.example", "verona.example.", "0.tcp.ngrok.io", "xn--verna-kva.example",
            "véröna.example", "my_service", "a-b", "3com", "1.2.3.four", "127.0.0.1", "0.0.0.0", "127.1",
            "x" * 63,
        ],
    )  # fmt: skip
    def test_host(self, host: str) -> None:
        """A name or an IPv4 address may stand alone, or before a port."""
        assert host_in(host) == (host, None)
        assert host_in(f"{host}:4444") == (host, "4444")

    @pytest.mark.parametrize("host", ["::1", "::", "2001:db8::1", "fe80::1%eth0", "::ffff:127.0.0.1"])
    def test_version_6(self, host: str) -> None:
        """An IPv6 address may stand alone, or in brackets, after which there may be a port."""
        assert host_in(host) == host_in(f"[{host}]") == (host, None)
        assert host_in(f"[{host}]:4444") == (host, "4444")

    @pytest.mark.parametrize(
        "text",
        [
            "", ":4444", " ", "no such host", "a..b", ".", ".verona", "verona\n", "300.1.1.1", "256.1.1.1",
            "1.2.3.4.5", "4444", "0.0.0.1", "0x", "[127.0.0.1]", "[verona]:4444", "[::1", "::1]", "[]",
            "[]:4444", "[::1]4444", "[::1]:4444]", "[::1]:", "1:2:3", "a:b:c", "::1::", "verona:",
            "http://verona", "verona/4444", "romeo@verona", "-verona", "verona-", "x" * 64,
            ".".join(["x" * 60] * 5), "verona\x00", "\ud800",
        ],
    )  # fmt: skip
    def test_no_host(self, text: str) -> None:
        """What can be none is refused, with its value and what is expected."""
        with pytest.raises(ValueError, match=r"^invalid host .*: expected a name or") as refused:
            host_in(text)
        assert repr(text) in str(refused.value)

    @given(st.ip_addresses(), st.integers(0, 65535))
    def test_written(self, address: object, port: int) -> None:
        """What is written for people can be read."""
        host = str(address)
        if not host.startswith("0.") or host == "0.0.0.0":
            assert host_in(host_and_port(host, port)) == (host, str(port))
            assert host_in(host) == (host, None)
