"""Tests of `techboy.net.rendering`."""

from __future__ import annotations

import pytest

from techboy.chat.room import PresenceEvents
from techboy.net.rendering import BARE, NATIVE, PLAIN, Delivery, Renderer, skipped_notice
from techboy.storage.interface import MessageBatch

BATCHES = [
    MessageBatch(5, 6, 0.0, 1, "juliet", "text", "a\nb"),
    MessageBatch(7, 7, 0.0, 2, "nurse", "action", "sighs"),
]


def test_plain() -> None:
    """Plain lines: notices, then each line with its author."""
    rendering = PLAIN.render(["welcome"], BATCHES, 4)
    assert rendering.data == b"* welcome\njuliet: a\njuliet: b\n** nurse sighs\n"
    assert rendering.data[: rendering.heading] == b"* welcome\n"


def test_bare() -> None:
    """Bare lines, of which none is a goodbye; an action has its author."""
    said = [
        MessageBatch(5, 7, 0.0, 1, "romeo", "text", "a\nexit\n* b"),
        MessageBatch(8, 8, 0.0, 1, "romeo", "action", "sighs"),
    ]
    rendering = BARE.render(["no"], said, 4)
    assert rendering.data == b"* no\na\nexit \n* b\n** romeo sighs\n"
    assert (rendering.reached(rendering.heading), rendering.reached(len(rendering.data))) == (4, 8)


def test_native() -> None:
    """Frames: notices, then one for each batch."""
    rendering = NATIVE.render(["welcome"], BATCHES, 4)
    assert rendering.data == (
        b'{"type": "notice", "text": "welcome"}\n'
        b'{"type": "message", "kind": "text", "id": 5, "at": 0, "from": "juliet", "text": "a\\nb"}\n'
        b'{"type": "message", "kind": "action", "id": 7, "at": 0, "from": "nurse", "text": "sighs"}\n'
    )
    assert rendering.data[: rendering.heading] == b'{"type": "notice", "text": "welcome"}\n'


@pytest.mark.parametrize(("dialect", "ids"), [(PLAIN, [4, 5, 6, 7]), (NATIVE, [4, 6, 7])])
def test_reached(dialect: Renderer, ids: list[int]) -> None:
    """Where a line of the rendering ends, it is known up to which id all is whole."""
    rendering = dialect.render(["welcome"], BATCHES, 4)
    ends = [end for end, byte in enumerate(rendering.data, 1) if byte == ord("\n")]
    assert [rendering.reached(end) for end in ends] == ids


def test_once() -> None:
    """What is rendered for one is the very same for all who speak the dialect."""
    delivery = Delivery(PresenceEvents(), BATCHES)
    assert delivery.rendered[NATIVE] is delivery.rendered[NATIVE]
    assert delivery.rendered[NATIVE] is not delivery.rendered[PLAIN]
    assert (delivery.before, delivery.head, delivery.special) == (4, 7, {1, 2})


def test_gone() -> None:
    """One line is gone, or several are."""
    assert (skipped_notice(1), skipped_notice(2)) == ("1 line is gone", "2 lines are gone")
