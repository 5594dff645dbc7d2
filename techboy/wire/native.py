"""The native dialect: one JSON object a line, both ways, for our own Juliet, bots and pages.

The caller's first line is a hello, and what the host sends from its welcome on is in this dialect.
A frame is known by one of its fields, its kind. Fields that are not known are ignored, so that frames can
grow; a frame of no known kind is an error that the connection survives, and so is one that can't be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring as _quoted
from typing import TypeAlias, TypeVar

from techboy.storage.interface import Batch
from techboy.wire.frames import (
    FIELD,
    FRAME,
    UNKNOWN,
    Bye,
    CallerFrame,
    Do,
    Error,
    Goodbye,
    Hello,
    HostFrame,
    Limits,
    Lines,
    Misread,
    Missed,
    Moved,
    Notice,
    Ping,
    Pong,
    Say,
    Stored,
    Throttled,
    Welcome,
)
from techboy.wire.json_fields import (
    FieldError,
    Fields,
    fields,
    moment,
    number,
    one_line,
    one_line_each,
    read_object,
    several_lines,
    yes,
    yes_or_no,
)
from techboy.wire.lines import LF, first_overlong

F = TypeVar("F")
_Small: TypeAlias = (
    Hello | Do | Ping | Pong | Goodbye | Welcome | Stored | Moved | Notice | Throttled | Missed | Error | Bye
)


def is_hello(beginning: bytes) -> bool | None:
    """Tell from the ``beginning`` of what a caller sends if it is a hello; None if that can't be said yet.

    A hello has that field first, and nothing before it but spaces, so that a plain line is known early.
    """
    return _opens_with(b'"hello"', beginning)


def read_caller(line: bytes) -> CallerFrame | Misread:
    """Return the frame of a caller that ``line`` is, with or without its end."""
    return _read(line, _FROM_CALLER)


def read_host(line: bytes) -> HostFrame | Misread:
    """Return the frame of a host that ``line`` is, with or without its end."""
    return _read(line, _FROM_HOST)


def written(frame: CallerFrame | HostFrame) -> bytes:
    """Return ``frame`` as a line, with its end."""
    match frame:
        case Say(seq, text):
            return say_frame(seq, text)
        case Lines(first, at, author, kind, text):
            return _lines_frame(first, at, author, kind, text)
        case _:
            return _encoded(json.dumps(_fields_of(frame), ensure_ascii=False) + "\n")


def say_frame(seq: int, text: str) -> bytes:
    """Return a `Say` as a line, with its end."""
    return _encoded(f'{{"say": {_quoted(text)}, "seq": {seq}}}\n')


def lines_frame(batch: Batch) -> bytes:
    """Return ``batch`` as a line, with its end, that is read as `Lines`."""
    return _lines_frame(batch.first, batch.at, batch.author, batch.kind, batch.text)


def within(text: str, limit: int) -> int:
    """Return how many lines ``text`` begins with that have at most ``limit`` bytes each.

    ``text`` is cleaned: what it was cleaned of counts as what is there instead.
    """
    block = _encoded(text) + LF
    start = first_overlong(block, limit)
    return block.count(LF) if start < 0 else block.count(LF, 0, start)


def _opens_with(name: bytes, line: bytes) -> bool | None:
    opening = line.lstrip(b" ")
    if not opening.startswith(b"{"):
        return False if opening else None
    there = opening[1:].lstrip(b" ")
    if there.startswith(name):
        return True
    return None if name.startswith(there) else False


def _encoded(line: str) -> bytes:
    # what was read has no half characters, but a frame is written whatever is in it
    return line.encode("utf-8", "replace")


def _lines_frame(first: int, at: float, author: str, kind: str, text: str) -> bytes:
    return _encoded(
        f'{{"id": {first}, "at": {at!r}, "from": {_quoted(author)}, {_quoted(kind)}: {_quoted(text)}}}\n'
    )


def _read(line: bytes, kinds: Mapping[str, Callable[[Fields], F]]) -> F | Misread:
    try:
        there = read_object(line)
    except ValueError as error:
        return Misread(FRAME, str(error))
    for kind, read in kinds.items():
        if kind in there:
            try:
                return read(there)
            except FieldError as error:
                return Misread(FIELD, str(error))
    return Misread(UNKNOWN, "this is no frame that is known here")


def _hello(there: Fields) -> Hello:
    return Hello(
        version=there.need("hello", number),
        name=there.need("name", one_line),
        session=there.may("session", one_line),
        log=there.may("log", one_line),
        room=there.may("room", one_line),
        seen=there.may("seen", number),
        hears=there.may("hears", yes_or_no) is not False,
    )


def _say(there: Fields) -> Say:
    return Say(there.need("seq", number), there.need("say", several_lines))


def _do(there: Fields) -> Do:
    return Do(there.need("do", one_line), there.may("args", one_line_each) or ())


def _caller_ping(there: Fields) -> Ping:
    return Ping(there.need("ping", number), there.may("seen", number), there.may("room", one_line))


def _host_ping(there: Fields) -> Ping:
    return Ping(there.need("ping", number))


def _pong(there: Fields) -> Pong:
    return Pong(there.need("pong", number))


def _goodbye(there: Fields) -> Goodbye:
    there.need("bye", yes)
    return Goodbye(there.may("seen", number), there.may("room", one_line))


def _welcome(there: Fields) -> Welcome:
    return Welcome(
        version=there.need("welcome", number),
        name=there.need("name", one_line),
        session=there.need("session", one_line),
        next=there.need("next", number),
        log=there.need("log", one_line),
        room=there.may("room", one_line),
        after=there.need("after", number),
        last=there.need("last", number),
        host=there.need("host", one_line),
        limits=there.need("limits", _limits),
    )


def _limits(value: object) -> Limits:
    there = fields(value)
    return Limits(there.need("line", number), there.need("frame", number))


def _stored(there: Fields) -> Stored:
    return Stored(there.need("stored", number), there.need("id", number))


def _lines(kind: str) -> Callable[[Fields], Lines]:
    def read(there: Fields) -> Lines:
        return Lines(
            there.need("id", number),
            there.need("at", moment),
            there.need("from", one_line),
            kind,
            there.need(kind, several_lines),
        )

    return read


def _moved(there: Fields) -> Moved:
    return Moved(there.need("room", one_line), there.need("after", number), there.need("last", number))


def _notice(there: Fields) -> Notice:
    return Notice(there.need("notice", one_line))


def _throttled(there: Fields) -> Throttled:
    return Throttled(there.need("throttled", number))


def _missed(there: Fields) -> Missed:
    return Missed(there.need("missed", number), there.need("upto", number))


def _error(there: Fields) -> Error:
    return Error(there.need("error", one_line), there.need("text", one_line), there.may("next", number))


def _bye(there: Fields) -> Bye:
    return Bye(there.need("bye", one_line), there.may("text", one_line))


# where a frame has fields of several kinds, it is of the first of them
_FROM_CALLER: Mapping[str, Callable[[Fields], CallerFrame]] = {
    "hello": _hello,
    "say": _say,
    "do": _do,
    "ping": _caller_ping,
    "pong": _pong,
    "bye": _goodbye,
}
_FROM_HOST: Mapping[str, Callable[[Fields], HostFrame]] = {
    "welcome": _welcome,
    "say": _lines("say"),
    "me": _lines("me"),
    "stored": _stored,
    "room": _moved,
    "notice": _notice,
    "throttled": _throttled,
    "missed": _missed,
    "error": _error,
    "ping": _host_ping,
    "pong": _pong,
    "bye": _bye,
}


def _fields_of(frame: _Small) -> dict[str, object]:
    match frame:
        case Hello(name, session, log, room, seen, hears, version):
            known = _known(session=session, log=log, room=room, seen=seen, hears=None if hears else False)
            return {"hello": version, "name": name, **known}
        case Do(command, args):
            return {"do": command, "args": args}
        case Ping(number, seen, room):
            return {"ping": number, **_known(seen=seen, room=room)}
        case Pong(number):
            return {"pong": number}
        case Goodbye(seen, room):
            return {"bye": True, **_known(seen=seen, room=room)}
        case Welcome():
            return _welcome_fields(frame)
        case Stored(next_one, last):
            return {"stored": next_one, "id": last}
        case Moved(room, after, last):
            return {"room": room, "after": after, "last": last}
        case Notice(text):
            return {"notice": text}
        case Throttled(rate):
            return {"throttled": rate}
        case Missed(count, upto):
            return {"missed": count, "upto": upto}
        case Error(code, text, next_one):
            return {"error": code, "text": text, **_known(next=next_one)}
        case Bye(reason, text):
            return {"bye": reason, **_known(text=text)}


def _welcome_fields(frame: Welcome) -> dict[str, object]:
    return {
        "welcome": frame.version,
        "name": frame.name,
        "session": frame.session,
        "next": frame.next,
        "log": frame.log,
        "room": frame.room,
        "after": frame.after,
        "last": frame.last,
        "host": frame.host,
        "limits": {"line": frame.limits.line, "frame": frame.limits.frame},
    }


def _known(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
