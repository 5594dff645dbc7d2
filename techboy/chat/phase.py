"""How far a conversation in direct mode has got, as the server sees it."""

from __future__ import annotations

from enum import Enum, auto


class DirectPhase(Enum):
    """The phases of the conversation between the operator and one client."""

    WAITING = auto()  # no client is connected
    WAITING_RESUME = auto()  # nor is one, and the input has ended, but not all of it may have arrived
    TALKING = auto()
    INPUT_DONE = auto()  # the input ended, our goodbye is said; the client may still talk
    LEAVING = auto()  # told to leave, our goodbye is said
    CLIENT_CLOSED = auto()  # the client said goodbye; a script says the rest
    CLOSING_AFTER_CLIENT = auto()  # the client said goodbye, a script has said the rest
    CLOSED_BOTH = auto()  # both said goodbye, nothing more was to be said
    OVER = auto()

    @property
    def is_alone(self) -> bool:
        """Whether a client is waited for."""
        return self in (DirectPhase.WAITING, DirectPhase.WAITING_RESUME)

    @property
    def says(self) -> bool:
        """Whether the client is there and may be told something."""
        return self in (DirectPhase.TALKING, DirectPhase.CLIENT_CLOSED)

    @property
    def hears(self) -> bool:
        """Whether the client may still say something, and be lost and come back."""
        return self in (DirectPhase.TALKING, DirectPhase.INPUT_DONE)

    @property
    def has_said_goodbye(self) -> bool:
        """Whether our goodbye is said, and the connection is not closed yet."""
        return self in (DirectPhase.INPUT_DONE, DirectPhase.LEAVING) or self in _AFTER_CLIENT

    @property
    def has_heard_goodbye(self) -> bool:
        """Whether the client said goodbye, and the connection is not closed yet."""
        return self is DirectPhase.CLIENT_CLOSED or self in _AFTER_CLIENT

    @property
    def is_unsure(self) -> bool:
        """Whether something may not have arrived if the connection breaks now."""
        return self in (DirectPhase.INPUT_DONE, DirectPhase.CLIENT_CLOSED, DirectPhase.CLOSING_AFTER_CLIENT)


_AFTER_CLIENT = (DirectPhase.CLOSING_AFTER_CLIENT, DirectPhase.CLOSED_BOTH)
