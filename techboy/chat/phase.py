"""The phases of a conversation in direct mode, at the server."""

from __future__ import annotations

from enum import Enum, auto


class DirectPhase(Enum):
    """The phases of the conversation between the operator and one client."""

    WAITING = auto()  # no client is connected
    WAITING_RESUME = auto()  # the input ended, the connection was lost, and not all of it may have arrived
    TALKING = auto()
    INPUT_DONE = auto()  # the input ended, our goodbye is sent; the client may still send
    LEAVING = auto()  # the operator left, our goodbye is sent
    CLIENT_CLOSED = auto()  # the goodbye of the client was received; a script sends the rest of its input
    CLOSING_AFTER_CLIENT = auto()  # the goodbye of the client was received, and the script has sent the rest
    CLOSED_BOTH = auto()  # both goodbyes were exchanged, with nothing left to send
    OVER = auto()

    @property
    def is_alone(self) -> bool:
        """Whether the server waits for a client."""
        return self in (DirectPhase.WAITING, DirectPhase.WAITING_RESUME)

    @property
    def can_send(self) -> bool:
        """Whether messages may be sent to the client."""
        return self in (DirectPhase.TALKING, DirectPhase.CLIENT_CLOSED)

    @property
    def can_receive(self) -> bool:
        """Whether the client may still send messages, and may reconnect if its connection is lost."""
        return self in (DirectPhase.TALKING, DirectPhase.INPUT_DONE)

    @property
    def has_sent_goodbye(self) -> bool:
        """Whether our goodbye is sent, and the connection is not closed yet."""
        return self in (DirectPhase.INPUT_DONE, DirectPhase.LEAVING) or self in _AFTER_CLIENT

    @property
    def has_received_goodbye(self) -> bool:
        """Whether the goodbye of the client was received, and the connection is not closed yet."""
        return self is DirectPhase.CLIENT_CLOSED or self in _AFTER_CLIENT

    @property
    def is_uncertain(self) -> bool:
        """Whether messages may not have arrived if the connection is lost now."""
        return self in (DirectPhase.INPUT_DONE, DirectPhase.CLIENT_CLOSED, DirectPhase.CLOSING_AFTER_CLIENT)


_AFTER_CLIENT = (DirectPhase.CLOSING_AFTER_CLIENT, DirectPhase.CLOSED_BOTH)
