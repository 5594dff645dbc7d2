"""The connection of a client with a session, as the session manager sees it."""

from __future__ import annotations

from typing import Protocol

from techboy.chat.member import Member, MemberConnection
from techboy.server.admission import PendingConnection
from techboy.server.lifecycle import DirectClient


class SessionConnection(MemberConnection, DirectClient, Protocol):
    """A connection that can create or resume a session."""

    member: Member
    pending: PendingConnection

    @property
    def is_open(self) -> bool:
        """Whether the connection is open and no goodbye was sent."""

    def admit(self, member: Member, token: str, after: int, *, resumed: bool) -> None:
        """Welcome the client as ``member``; its session has the ``token``.

        Messages after the id ``after`` are to be sent. ``resumed``: the session existed before.
        """

    def start(self) -> None:
        """Start sending and reading messages; the client was welcomed."""

    def reject(self, why: str) -> None:
        """Refuse the client for the reason ``why``."""

    def reject_busy(self, why: str) -> None:
        """Refuse the client because there is no place; it may try again."""

    def retry_later(self, why: str) -> None:
        """Ask the client to reconnect later."""

    def close_replaced(self) -> None:
        """Close: the session continues on another connection."""
