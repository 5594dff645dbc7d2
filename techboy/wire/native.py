"""The native protocol: one JSON object per line in both directions, for Juliet, bots and web pages.

The client's first line is a hello; from its welcome on, the server sends frames only. The field ``type`` is
the kind of a frame. Unknown fields are ignored, so that fields can be added. A frame of an unknown type and
an invalid frame are errors that do not close the connection.
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
from techboy.wire.sanitize import sanitize_line

F = TypeVar("F")
Reader: TypeAlias = Callable[[Fields], F]

_LONGEST_SHOWN = 32  # characters of an unknown type that are repeated in the error


def is_hello(beginning: bytes) -> bool | None:
    """Return whether a client's first bytes, ``beginning``, start a hello; None if more bytes are needed.

    A hello begins with its type, ``{"type": "hello"``, with only spaces and tabs in between, so that a plain
    line is detected early.
    """
    rest = beginning
    for token in (b"{", b'"type"', b":", b'"hello"'):
        rest = rest.lstrip(b" \t")
        if not rest.startswith(token):
            return None if token.startswith(rest) else False
        rest = rest[len(token) :]
    return True


def read_client(line: bytes) -> ClientFrame | InvalidFrame:
    """Return the client's frame in ``line``, with or without its line end."""
    return _read(line, _FROM_CLIENT)


def read_server(line: bytes) -> ServerFrame | InvalidFrame:
    """Return the server's frame in ``line``, with or without its line end."""
    return _read(line, _FROM_SERVER)


def encode(frame: ClientFrame | ServerFrame) -> bytes:
    """Return ``frame`` as a line, with its line end. Fields that are None are omitted."""
    match frame:
        case ClientMessage(seq, text, kind):
            return message_frame(seq, text, kind)
        case ServerMessage(id_, at, author, text, kind):
            return _server_message(id_, at, author, text, kind)
        case _:
            values = {name: getattr(frame, name) for name in _names(type(frame))}
            present = {name: value for name, value in values.items() if value is not None}
            return _encoded(
                json.dumps({"type": _TYPES[type(frame)], **present}, ensure_ascii=False, default=vars) + "\n"
            )


def message_frame(seq: int, text: str, kind: str = TEXT) -> bytes:
    """Return a `ClientMessage` as a line, with its line end."""
    return _encoded(f'{{"type": "message", "kind": "{kind}", "seq": {seq}, "text": {_quoted(text)}}}\n')


def batch_frame(batch: MessageBatch) -> bytes:
    """Return ``batch`` as a `ServerMessage`: a line, with its line end."""
    return _server_message(batch.first, milliseconds(batch.at), batch.author, batch.text, batch.kind)


def milliseconds(seconds: float) -> int:
    """Return a time in ``seconds`` since 1970 as in frames: in whole milliseconds."""
    return round(seconds * 1000)


def within(text: str, limit: int) -> int:
    """Return the number of lines before the first line of ``text`` with more than ``limit`` bytes.

    ``text`` is sanitized: a replaced character counts as its replacement.
    """
    block = _encoded(text) + LF
    start = first_overlong(block, limit)
    return block.count(LF) if start < 0 else block.count(LF, 0, start)


def _encoded(line: str) -> bytes:
    # text that was received has no surrogates, but encoding must never fail
    return line.encode("utf-8", "replace")


def _server_message(first: int, at: int, author: str, text: str, kind: str) -> bytes:
    return _encoded(
        f'{{"type": "message", "kind": "{kind}", "id": {first}, "at": {at},'
        f' "from": {_quoted(author)}, "text": {_quoted(text)}}}\n'
    )


def _read(line: bytes, readers: Mapping[str, Reader[F]]) -> F | InvalidFrame:
    try:
        values = read_object(line)
    except ValueError as error:
        return InvalidFrame(BAD_FRAME, str(error))
    try:
        kind = values.optional("type", string)
        reader = None if kind is None else readers.get(kind)
        if reader is not None:
            return reader(values)
    except FieldError as error:
        return InvalidFrame(BAD_FIELD, str(error))
    why = (
        "type is missing" if kind is None else f"unknown frame type {sanitize_line(kind[:_LONGEST_SHOWN])!r}"
    )
    return InvalidFrame(UNKNOWN_TYPE, why)


def _kind(value: object) -> str:
    if value not in (TEXT, ACTION):
        raise FieldError(f'expected "{TEXT}" or "{ACTION}"')
    return TEXT if value == TEXT else ACTION


def _limits(value: object) -> Limits:
    values = fields(value)
    return Limits(values.required("line", number), values.required("frame", number))


def _read_client_message(values: Fields) -> ClientMessage:
    return ClientMessage(
        values.required("seq", number), values.required("text", several_lines), values.required("kind", _kind)
    )


def _read_server_message(values: Fields) -> ServerMessage:
    return ServerMessage(
        values.required("id", number),
        values.required("at", number),
        values.required("from", one_line),
        values.required("text", several_lines),
        values.required("kind", _kind),
    )


def _reader(frame: type[F]) -> Reader[F]:
    """Return a function that reads a ``frame``; fields with a default are optional, except ``version``."""
    checks = [
        (field.name, _CHECKS[field.name], field.default is MISSING or field.name == "version")
        for field in dataclasses.fields(frame)  # type: ignore[arg-type]  # every frame is a dataclass
    ]

    def read(values: Fields) -> F:
        read_fields = {
            name: values.required(name, check)
            for name, check, is_required in checks
            if is_required or name in values
        }
        return frame(**read_fields)

    return read


def _names(frame: type) -> list[str]:
    return [field.name for field in dataclasses.fields(frame)]


# a field has the same type in all frames, except the text of a message, which may have several lines
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
