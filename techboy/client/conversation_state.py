"""The states of a conversation."""

from __future__ import annotations

from enum import Enum, auto


class ConversationState(Enum):
    """Where a conversation stands."""

    WAITING = auto()  # nobody is at the other end
    EXPECTED = auto()  # neither is anybody there, and the input here has ended, but not all of it is stored
    TALKING = auto()
    FINISHED = auto()  # the input here ended, our goodbye is said; the other may still talk
    LEAVING = auto()  # told to leave, our goodbye is said
    LEFT = auto()  # the other said goodbye; a script here says the rest
    ANSWERED = auto()  # the other said goodbye, a script here has said the rest; closing
    PARTED = auto()  # both said goodbye, nothing more was to be said; closing
    OVER = auto()


ALONE = {ConversationState.WAITING, ConversationState.EXPECTED}
SAYING = {ConversationState.TALKING, ConversationState.LEFT}
GOODBYE_SAID = {
    ConversationState.FINISHED,
    ConversationState.LEAVING,
    ConversationState.ANSWERED,
    ConversationState.PARTED,
}
LEAVING = {ConversationState.LEAVING, ConversationState.PARTED, ConversationState.ANSWERED}
SILENT = GOODBYE_SAID | {ConversationState.OVER}
GOODBYE_HEARD = {ConversationState.LEFT, ConversationState.ANSWERED, ConversationState.PARTED}
LINES_UNSURE = {
    ConversationState.FINISHED,
    ConversationState.LEFT,
    ConversationState.ANSWERED,
}  # where the connection breaks


class IllegalEventError(Exception):
    """Something was told that cannot happen in the state told to: nothing came of it."""
