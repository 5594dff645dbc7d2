"""The native protocol: one JSON object a line in both directions, for our own client, bots and pages.

The client's first line is a hello, and from its welcome on the server sends frames only. ``type`` says what a
frame is. Unknown fields are ignored, so that frames can grow; a frame of an unknown type is an error that the
connection survives, and so is one that cannot be read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from json.encoder import encode_basestring as _quoted
from typing import Any, TypeAlias, TypeVar

from techboy.storage.interface import ACTION, TEXT, MessageBatch
from techboy.wire.frames import (
    BAD_FIELD,
    BAD_FRAME,
    UNKNOWN_TYPE,
    Ack,
    ClientBye,
    ClientFrame,
    ClientMessage,
    CommandRequest,
    Error,
    Hello,
    InvalidFrame,
    Limits,
    Notice,
    Ping,
    Pong,
    RoomChanged,
    ServerBye,
    ServerFrame,
    ServerMessage,
    Skipped,
    Throttled,
    Welcome,
)
from techboy.wire.json_fields import (
    FieldError,
    Fields,
    boolean,
    fields,
    number,
    one_line,
    read_object,
    several_lines,
    string,
    string_list,
)
from techboy.wire.lines import LF, first_overlong
from techboy.wire.sanitize import cleaned_line

F = TypeVar("F")
Reader: TypeAlias = Callable[[Fields], F]

_LONGEST_SHOWN = 32  # characters of an unknown type that are repeated in the error


def is_hello(beginning: bytes) -> bool | None:
    """Tell from the ``beginning`` of what a client sends if it is a hello; None if that is not known yet.

    A hello begins with its type, ``{"type": "hello"``, with no more than spaces and tabs in between, so that
    a plain line is known early.
    """
    rest = beginning
    for token in (b"{", b'"type"', b":", b'"hello"'):
        rest = rest.lstrip(b" \t")
        if not rest.startswith(token):
            return None if token.startswith(rest) else False
        rest = rest[len(token) :]
    return True


def read_client(line: bytes) -> ClientFrame | InvalidFrame:
    """Return the frame of a client that ``line`` is, with or without its end."""
    return _read(line, _FROM_CLIENT)


def read_server(line: bytes) -> ServerFrame | InvalidFrame:
    """Return the frame of a server that ``line`` is, with or without its end."""
    return _read(line, _FROM_SERVER)


def written(frame: ClientFrame | ServerFrame) -> bytes:
    """Return ``frame`` as a line, with its end. Fields that are None are left out."""
    match frame:
        case ClientMessage(seq, text, kind):
            return message_frame(seq, text, kind)
        case ServerMessage(id_, at, author, text, kind):
            return _server_message(id_, at, author, text, kind)
        case _:
            values = {name: getattr(frame, name) for name in _names(type(frame))}
            known = {name: value for name, value in values.items() if value is not None}
            return _encoded(
                json.dumps({"type": _TYPES[type(frame)], **known}, ensure_ascii=False, default=vars) + "\n"
            )


def message_frame(seq: int, text: str, kind: str = TEXT) -> bytes:
    """Return a `ClientMessage` as a line, with its end."""
    return _encoded(f'{{"type": "message", "kind": "{kind}", "seq": {seq}, "text": {_quoted(text)}}}\n')


def batch_frame(batch: MessageBatch) -> bytes:
    """Return ``batch`` as a line, with its end, that is read as a `ServerMessage`."""
    return _server_message(batch.first, milliseconds(batch.at), batch.author, batch.text, batch.kind)


def milliseconds(seconds: float) -> int:
    """Return a time in ``seconds`` since 1970 as frames have it: in whole milliseconds."""
    return round(seconds * 1000)


def within(text: str, limit: int) -> int:
    """Return how many lines ``text`` begins with that have at most ``limit`` bytes each.

    ``text`` is sanitized: characters that were replaced count as what replaced them.
    """
    block = _encoded(text) + LF
    start = first_overlong(block, limit)
    return block.count(LF) if start < 0 else block.count(LF, 0, start)


def _encoded(line: str) -> bytes:
    # text that was read has no surrogates, but a frame is written whatever is in it
    return line.encode("utf-8", "replace")


def _server_message(first: int, at: int, author: str, text: str, kind: str) -> bytes:
    return _encoded(
        f'{{"type": "message", "kind": "{kind}", "id": {first}, "at": {at},'
        f' "from": {_quoted(author)}, "text": {_quoted(text)}}}\n'
    )


def _read(line: bytes, readers: Mapping[str, Reader[F]]) -> F | InvalidFrame:
    try:
        there = read_object(line)
    except ValueError as error:
        return InvalidFrame(BAD_FRAME, str(error))
    try:
        kind = there.optional("type", string)
        reader = None if kind is None else readers.get(kind)
        if reader is not None:
            return reader(there)
    except FieldError as error:
        return InvalidFrame(BAD_FIELD, str(error))
    what = (
        "type is missing" if kind is None else f"unknown frame type {cleaned_line(kind[:_LONGEST_SHOWN])!r}"
    )
    return InvalidFrame(UNKNOWN_TYPE, what)


def _kind(value: object) -> str:
    if value not in (TEXT, ACTION):
        raise FieldError(f'expected "{TEXT}" or "{ACTION}"')
    return TEXT if value == TEXT else ACTION


def _limits(value: object) -> Limits:
    there = fields(value)
    return Limits(there.required("line", number), there.required("frame", number))


def _read_client_message(there: Fields) -> ClientMessage:
    return ClientMessage(
        there.required("seq", number), there.required("text", several_lines), there.required("kind", _kind)
    )


def _read_server_message(there: Fields) -> ServerMessage:
    return ServerMessage(
        there.required("id", number),
        there.required("at", number),
        there.required("from", one_line),
        there.required("text", several_lines),
        there.required("kind", _kind),
    )


def _reader(frame: type[F]) -> Reader[F]:
    """Return what reads a ``frame``: fields with a default may be missing, except ``version``."""
    checks = [
        (field.name, _CHECKS[field.name], field.default is MISSING or field.name == "version")
        for field in dataclasses.fields(frame)  # type: ignore[arg-type]
    ]

    def read(there: Fields) -> F:
        read_fields = {
            name: there.required(name, check)
            for name, check, is_required in checks
            if is_required or name in there
        }
        return frame(**read_fields)

    return read


def _names(frame: type) -> list[str]:
    return [field.name for field in dataclasses.fields(frame)]


# a field means the same in every frame; that of a message may have several lines of text
_CHECKS: Mapping[str, Callable[[object], Any]] = {
    "after_id": number,
    "args": string_list,
    "code": one_line,
    "count": number,
    "last_id": number,
    "last_seen_id": number,
    "limits": _limits,
    "log_epoch": one_line,
    "name": one_line,
    "next_seq": number,
    "number": number,
    "rate": number,
    "reason": one_line,
    "room": one_line,
    "server": one_line,
    "session": one_line,
    "subscribe": boolean,
    "text": one_line,
    "through_id": number,
    "version": number,
}
_FROM_CLIENT: Mapping[str, Reader[ClientFrame]] = {
    "hello": _reader(Hello),
    "message": _read_client_message,
    "command": _reader(CommandRequest),
    "ping": _reader(Ping),
    "pong": _reader(Pong),
    "bye": _reader(ClientBye),
}
_FROM_SERVER: Mapping[str, Reader[ServerFrame]] = {
    "welcome": _reader(Welcome),
    "message": _read_server_message,
    "ack": _reader(Ack),
    "room_changed": _reader(RoomChanged),
    "notice": _reader(Notice),
    "throttled": _reader(Throttled),
    "skipped": _reader(Skipped),
    "error": _reader(Error),
    "ping": _reader(Ping),
    "pong": _reader(Pong),
    "bye": _reader(ServerBye),
}
_TYPES: Mapping[type, str] = {
    Hello: "hello",
    CommandRequest: "command",
    Ping: "ping",
    Pong: "pong",
    ClientBye: "bye",
    Welcome: "welcome",
    Ack: "ack",
    RoomChanged: "room_changed",
    Notice: "notice",
    Throttled: "throttled",
    Skipped: "skipped",
    Error: "error",
    InvalidFrame: "error",
    ServerBye: "bye",
}
