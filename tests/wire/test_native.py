"""Tests of the native dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.storage.interface import ACTION, TEXT, MessageBatch
from techboy.wire.frames import (
    BAD_FIELD,
    BAD_FRAME,
    LARGEST,
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
from techboy.wire.native import (
    batch_frame,
    encode,
    is_hello,
    message_frame,
    read_client,
    read_server,
    within,
)
from techboy.wire.sanitize import REPLACEMENT, sanitize, sanitize_bytes, sanitize_line
from tests.wire.texts import any_bytes, any_texts, clean_texts, is_unsafe, quick

FROM_CLIENT: list[tuple[ClientFrame, dict[str, Any]]] = [
    (Hello("juliet"), {"type": "hello", "version": 1, "name": "juliet", "subscribe": True}),
    (
        Hello("juliet", "t0ken", "l0g", "#all", 58, subscribe=False, version=2),
        {
            "type": "hello",
            "version": 2,
            "name": "juliet",
            "session": "t0ken",
            "log_epoch": "l0g",
            "room": "#all",
            "last_seen_id": 58,
            "subscribe": False,
        },
    ),
    (ClientMessage(17, "one\ntwo"), {"type": "message", "kind": "text", "seq": 17, "text": "one\ntwo"}),
    (ClientMessage(19, "bows", ACTION), {"type": "message", "kind": "action", "seq": 19, "text": "bows"}),
    (CommandRequest("nick", ("rosaline",)), {"type": "command", "name": "nick", "args": ["rosaline"]}),
    (CommandRequest("who"), {"type": "command", "name": "who", "args": []}),
    (Ping(3), {"type": "ping", "number": 3}),
    (Ping(3, 58, "#all"), {"type": "ping", "number": 3, "last_seen_id": 58, "room": "#all"}),
    (Pong(3), {"type": "pong", "number": 3}),
    (ClientBye(), {"type": "bye"}),
    (ClientBye(58, "#all"), {"type": "bye", "last_seen_id": 58, "room": "#all"}),
]
WELCOME = {
    "type": "welcome",
    "version": 1,
    "name": "juliet",
    "session": "t0ken",
    "next_seq": 17,
    "log_epoch": "l0g",
    "after_id": 50,
    "last_id": 58,
    "server": "romeo",
    "limits": {"line": 4096, "frame": 262144},
}
FROM_SERVER: list[tuple[ServerFrame, dict[str, Any]]] = [
    (Welcome("juliet", "t0ken", 17, "l0g", 50, 58, "romeo", Limits(4096, 262144)), WELCOME),
    (
        Welcome("juliet", "t0ken", 17, "l0g", 50, 58, "romeo", Limits(4096, 262144), room="#all"),
        {**WELCOME, "room": "#all"},
    ),
    (Ack(19, 58), {"type": "ack", "next_seq": 19, "last_id": 58}),
    (
        ServerMessage(59, 1795349686158, "romeo", "one\ntwo"),
        {
            "type": "message",
            "kind": "text",
            "id": 59,
            "at": 1795349686158,
            "from": "romeo",
            "text": "one\ntwo",
        },
    ),
    (
        ServerMessage(59, 0, "romeo", "climbs", ACTION),
        {"type": "message", "kind": "action", "id": 59, "at": 0, "from": "romeo", "text": "climbs"},
    ),
    (RoomChanged("#all", 50, 58), {"type": "room_changed", "room": "#all", "after_id": 50, "last_id": 58}),
    (Notice("rosaline is here"), {"type": "notice", "text": "rosaline is here"}),
    (Throttled(20), {"type": "throttled", "rate": 20}),
    (Skipped(7, 57), {"type": "skipped", "count": 7, "through_id": 57}),
    (
        Error("out_of_order", "17 is missing", 17),
        {"type": "error", "code": "out_of_order", "text": "17 is missing", "next_seq": 17},
    ),
    (Error("line_too_long", "too long"), {"type": "error", "code": "line_too_long", "text": "too long"}),
    (Ping(3), {"type": "ping", "number": 3}),
    (Pong(3), {"type": "pong", "number": 3}),
    (ServerBye("busy", "come later"), {"type": "bye", "reason": "busy", "text": "come later"}),
    (ServerBye("restart"), {"type": "bye", "reason": "restart"}),
]
BOTH = [
    *((frame, fields, read_client) for frame, fields in FROM_CLIENT),
    *((frame, fields, read_server) for frame, fields in FROM_SERVER),
]
EACH = pytest.mark.parametrize(("frame", "fields", "read"), BOTH, ids=[repr(frame) for frame, _, _ in BOTH])
ENDS = pytest.mark.parametrize("read", [read_client, read_server], ids=["from client", "from server"])

OPTIONAL = {
    Hello: {"session", "log_epoch", "room", "last_seen_id", "subscribe"},
    CommandRequest: {"args"},
    Ping: {"last_seen_id", "room"},
    ClientBye: {"last_seen_id", "room"},
    Welcome: {"room"},
    Error: {"next_seq"},
    ServerBye: {"text"},
}
NOT_A_NUMBER = [True, False, -1, LARGEST + 1, 10**399, 1.0, 1.5, "1", [1], {"1": 1}]
NOT_A_BOOLEAN = [0, 1, "true", [True], {}]
NOT_A_STRING = [True, False, 0, 1.5, ["a"], {"a": "a"}]
NOT_STRINGS = [True, 0, "a", {"a": "a"}, ["a", 1], [["a"]], [None]]
NOT_LIMITS = [True, 1, "a", [1, 2], {}, {"line": 1}, {"line": 1, "frame": "2"}, {"line": None, "frame": 2}]

numbers = st.integers(0, LARGEST)
texts = clean_texts()
kinds = st.sampled_from([TEXT, ACTION])
strings = texts.map(lambda text: text.replace("\n", ""))
maybe_numbers = st.none() | numbers
maybe_strings = st.none() | strings
hellos = st.builds(
    Hello, strings, maybe_strings, maybe_strings, maybe_strings, maybe_numbers, st.booleans(), version=numbers
)
client_frames = st.one_of(
    hellos,
    st.builds(ClientMessage, numbers, texts, kinds),
    st.builds(CommandRequest, strings, st.lists(strings).map(tuple)),
    st.builds(Ping, numbers, maybe_numbers, maybe_strings),
    st.builds(Pong, numbers),
    st.builds(ClientBye, maybe_numbers, maybe_strings),
)
limits = st.builds(Limits, numbers, numbers)
welcomes = st.builds(
    Welcome,
    strings,
    strings,
    numbers,
    strings,
    numbers,
    numbers,
    strings,
    limits,
    room=maybe_strings,
    version=numbers,
)
server_frames = st.one_of(
    welcomes,
    st.builds(Ack, numbers, numbers),
    st.builds(ServerMessage, numbers, numbers, strings, texts, kinds),
    st.builds(RoomChanged, strings, numbers, numbers),
    st.builds(Notice, strings),
    st.builds(Throttled, numbers),
    st.builds(Skipped, numbers, numbers),
    st.builds(Error, strings, strings, maybe_numbers),
    st.builds(Ping, numbers),
    st.builds(Pong, numbers),
    st.builds(ServerBye, strings, maybe_strings),
)
# what a frame must be a whole line with, whoever filled it
wild = st.text(st.characters() | st.sampled_from('\n\r\x1b\x85\u2028\ud800\udc00"\\'))
wild_frames = st.one_of(
    st.builds(Hello, wild, wild),
    st.builds(ClientMessage, numbers, wild, kinds),
    st.builds(CommandRequest, wild, st.lists(wild).map(tuple)),
    st.builds(ServerMessage, numbers, numbers, wild, wild, kinds),
    st.builds(Notice, wild),
    st.builds(Error, wild, wild),
    st.builds(ServerBye, wild, wild),
)
names = st.sampled_from(sorted({name for _, fields in [*FROM_CLIENT, *FROM_SERVER] for name in fields}))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | wild | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | wild, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(names, values).map(lambda fields: json.dumps(fields).encode())
pieces = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\u", b"d800", b"1e999", b"NaN", b" ", b"null"]
    )
    | names.map(lambda name: f'"{name}"'.encode())
    | any_bytes()
).map(b"".join)


def line_of(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def wrong_values(name: str, value: object) -> list[Any]:
    """Return what the field ``name`` of a frame, where ``value`` is right, must not be."""
    if name == "kind":
        return [*NOT_A_STRING, "say", ""]
    if isinstance(value, bool):
        return NOT_A_BOOLEAN
    if isinstance(value, str):
        return NOT_A_STRING
    if isinstance(value, int):
        return NOT_A_NUMBER
    return NOT_STRINGS if isinstance(value, list) else NOT_LIMITS


class WrittenTests:
    """A frame is an object on a line."""

    @EACH
    def test_fields(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """Each frame has its fields, and its line an end."""
        line = encode(frame)
        assert json.loads(line) == fields
        assert line.endswith(b"}\n")

    @pytest.mark.parametrize(
        ("frame", "line"),
        [
            (Hello("juliet"), '{"type": "hello", "version": 1, "name": "juliet", "subscribe": true}\n'),
            (
                ClientMessage(17, 'é\tü\n"\\'),
                '{"type": "message", "kind": "text", "seq": 17, "text": "é\\tü\\n\\"\\\\"}\n',
            ),
            (
                ServerMessage(5, 1250, "romeo", "ж\n", ACTION),
                '{"type": "message", "kind": "action", "id": 5, "at": 1250,'
                ' "from": "romeo", "text": "ж\\n"}\n',
            ),
        ],
    )
    def test_bytes(self, frame: Any, line: str) -> None:
        """Text is UTF-8, and readable as it stands."""
        assert encode(frame) == line.encode()

    def test_bulk(self) -> None:
        """What is said in bulk has a short way, to the same lines."""
        batch = MessageBatch(59, 60, 1795349686.158, 7, "romeo", TEXT, "one\ntwo")
        assert message_frame(17, "one\ntwo") == encode(ClientMessage(17, "one\ntwo"))
        assert batch_frame(batch) == encode(ServerMessage(59, 1795349686158, "romeo", "one\ntwo"))

    def test_misread(self) -> None:
        """What could not be read is answered as it is."""
        assert read_server(encode(InvalidFrame(BAD_FIELD, "seq is missing"))) == Error(
            BAD_FIELD, "seq is missing"
        )

    @quick
    @given(wild_frames)
    def test_one_line(self, frame: Any) -> None:
        """Whatever is in a frame, it is one line of JSON in UTF-8."""
        line = encode(frame)
        assert line.index(b"\n") == len(line) - 1
        assert isinstance(json.loads(line.decode()), dict)

    @quick
    @given(client_frames)
    def test_client(self, frame: Any) -> None:
        """A server reads what a client wrote."""
        assert read_client(encode(frame)) == frame

    @quick
    @given(server_frames)
    def test_server(self, frame: Any) -> None:
        """A client reads what a server wrote."""
        assert read_server(encode(frame)) == frame


class ReadTests:
    """Each line is a frame, or an error."""

    @EACH
    def test_fields(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """Each frame is known by its fields, whatever the end of its line."""
        line = line_of(fields)
        assert read(line) == read(line[:-1]) == read(line[:-1] + b"\r\n") == frame

    @EACH
    def test_unknown_fields(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """[P2] Fields that are not known do not matter, wherever they stand."""
        assert read(line_of({"new": [1.5, {"a": -1}], **fields, "newer": None})) == frame

    @EACH
    def test_missing(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """A frame without a field that it needs, or with null there, is an error."""
        for name in set(fields) - OPTIONAL.get(type(frame), set()) - {"type"}:
            for others in ({**fields, name: None}, {key: fields[key] for key in fields if key != name}):
                assert read(line_of(others)) == InvalidFrame(BAD_FIELD, f"{name} is missing")

    @EACH
    def test_optional(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """Null is the same as a field that may be missing."""
        for name in OPTIONAL.get(type(frame), set()):
            without = {key: value for key, value in fields.items() if key != name}
            there = read(line_of({**without, name: None}))
            assert there == read(line_of(without))
            assert type(there) is type(frame)

    @EACH
    def test_wrong(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """A field that is something else than it has to be is an error that names it."""
        for name, value in fields.items():
            for wrong in wrong_values(name, value) if name != "type" else NOT_A_STRING:
                answer = read(line_of({**fields, name: wrong}))
                assert isinstance(answer, InvalidFrame), wrong
                assert answer.code == BAD_FIELD
                assert answer.text.startswith(f"{name}: ")

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            (b"", "not JSON: Expecting value at character 0"),
            (b"\n", "not JSON: Expecting value at character 1"),
            (b"hello", "not JSON: Expecting value at character 0"),
            (b'{"ping": 1', "not JSON: Expecting ',' delimiter at character 10"),
            (b'{"ping": 1} {}', "not JSON: Extra data at character 12"),
            (b'\xef\xbb\xbf{"ping": 1}', "not JSON: Expecting value at character 0"),
            (b'{"say": "a\tb", "seq": 1}', "not JSON: Invalid control character at at character 10"),
            (b'{"ping": 1, "a": NaN}', "not JSON: NaN"),
            (b'{"ping": 1, "a": [-Infinity]}', "not JSON: -Infinity"),
            (b'{"ping": 1, "a": 1e999}', "a number is too large"),
            (b'{"ping": 1, "ping": 1}', "a name is used twice"),
            (b'{"ping": 1, "a": [{"b": 1, "\\u0062": 1}]}', "a name is used twice"),
            (b'{"say": "caf\xe9", "seq": 1}', "not UTF-8"),
            (b'{"say": "\xed\xa0\x80", "seq": 1}', "not UTF-8"),
            ('{"ping": 1}'.encode("utf-16"), "not UTF-8"),
            (b"[1]", "expected an object"),
            (b'"hello"', "expected an object"),
            (b"1", "expected an object"),
            (b"null", "expected an object"),
            (b'{"ping": ' + b"9" * 401 + b"}", "a number has too many digits"),
            (b'{"ping": -' + b"9" * 200_000 + b"}", "a number has too many digits"),
            (b"[" * 200_000, "nested too deeply"),
            (b'{"a":' * 50_000, "nested too deeply"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    @ENDS
    def test_broken(self, read: Any, line: bytes, text: str) -> None:
        """A line that is no object, or not one for all readers of JSON, is no frame."""
        assert read(line) == InvalidFrame(BAD_FRAME, text)

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({}, "type is missing"),
            ({"type": None, "number": 1}, "type is missing"),
            ({"type": "Ping", "number": 1}, "unknown frame type 'Ping'"),
            ({"type": "", "number": 1}, "unknown frame type ''"),
            ({"type": "sing\n\u202e" + "a" * 99}, f"unknown frame type 'sing\ufffd\ufffd{'a' * 26}'"),
        ],
    )
    @ENDS
    def test_unknown(self, read: Any, fields: dict[str, Any], text: str) -> None:
        """A frame of an unknown type is an error that names it, as far as that is short and safe."""
        assert read(line_of(fields)) == InvalidFrame(UNKNOWN_TYPE, text)

    @pytest.mark.parametrize("type_", ["welcome", "ack", "room_changed", "notice", "skipped", "error"])
    def test_not_from_client(self, type_: str) -> None:
        """A client cannot take the server's part."""
        [fields, *_] = (fields for _, fields in FROM_SERVER if fields["type"] == type_)
        assert read_client(line_of(fields)) == InvalidFrame(UNKNOWN_TYPE, f"unknown frame type '{type_}'")

    @EACH
    def test_any_order(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """The type of a frame may stand anywhere in it."""
        assert read(line_of(dict(reversed(fields.items())))) == frame

    @pytest.mark.parametrize(
        ("escaped", "text"),
        [
            (r"a\r\nb\n\r\n", "a\nb\n\n"),
            (r"a\rb\r", f"a{REPLACEMENT}b{REPLACEMENT}"),
            (r"\r\r\n", f"{REPLACEMENT}\n"),
            (r"\u001b[2J\u0000\b\f", f"{REPLACEMENT}[2J{REPLACEMENT * 3}"),
            (r"\u009b \u202e \u2028 \u007f", " ".join(REPLACEMENT * 4)),
            ("\x7f\x9b\u2066", REPLACEMENT * 3),
            (r"\ud800", REPLACEMENT),
            (r"\udf39\ud83c", REPLACEMENT * 2),
            (r"\ud83c\udf39", "\U0001f339"),
            (r"\ud83c\n\udf39", f"{REPLACEMENT}\n{REPLACEMENT}"),
            (r"\/\"\\\t", '/"\\\t'),
            ("", ""),
        ],
    )
    def test_text(self, escaped: str, text: str) -> None:
        """[P4] What is said is safe to show and to store, escaped or not, and its lines end with LF."""
        fields = f'"type": "message", "kind": "action", "text": "{escaped}"'
        assert read_client(f'{{{fields}, "seq": 1}}'.encode()) == ClientMessage(1, text, ACTION)
        sent = read_server(f'{{{fields}, "id": 1, "at": 1, "from": "romeo"}}'.encode())
        assert sent == ServerMessage(1, 1, "romeo", text, ACTION)

    @EACH
    def test_one_line(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """A string that is one line stays one, and is as safe as all text."""
        several = {"type", "kind", *(["text"] if fields["type"] == "message" else [])}
        for name in (name for name in fields if isinstance(fields[name], str) and name not in several):
            for wild, tame in [
                ("a\nb", "a\ufffdb"),
                ("a\r\n", "a\ufffd\ufffd"),
                ("\ud800\x1b", "\ufffd\ufffd"),
            ]:
                assert read(line_of({**fields, name: wild})) == read(line_of({**fields, name: tame}))

    def test_args(self) -> None:
        """So is each argument of a command."""
        assert read_client(
            rb'{"type": "command", "name": "a\nb", "args": ["\n", "\u0007 \t"]}'
        ) == CommandRequest(f"a{REPLACEMENT}b", (REPLACEMENT, f"{REPLACEMENT} \t"))

    @quick
    @given(objects | pieces)
    def test_anything(self, line: bytes) -> None:
        """Whatever arrives, it is read without an exception, and what it is can be written."""
        for read in (read_client, read_server):
            frame = read(line)
            text = encode(frame).decode()
            assert not any(is_unsafe(char) for char in text[:-1])
            if not isinstance(frame, InvalidFrame):
                assert read(text.encode()) == frame


class FramesTests:
    """Frames know a little of themselves."""

    @pytest.mark.parametrize(("text", "last"), [("", 59), ("a", 59), ("a\nb", 60), ("\n\n", 61)])
    def test_last(self, text: str, last: int) -> None:
        """Lines have ids, one after the other."""
        assert ServerMessage(59, 0, "romeo", text).last_id == last

    def test_token(self) -> None:
        """The token of a session, which is a secret, is not shown where a frame is."""
        [welcome, *_] = (frame for frame, _ in FROM_SERVER)
        assert "t0ken" not in repr(welcome)
        assert "t0ken" not in repr(Hello("juliet", "t0ken"))


class IsHelloTests:
    """A native client is detected as early as possible, and so is a plain one."""

    @pytest.mark.parametrize(
        "beginning",
        [
            b'{"type":"hello"',
            b'{"type": "hello", "version": 1, "name": "juliet"}\n',
            b' \t{ "type" :\t"hello"',
            b'{"type":"hello"?',
        ],
    )
    def test_yes(self, beginning: bytes) -> None:
        assert is_hello(beginning) is True

    @pytest.mark.parametrize(
        "beginning",
        [
            b"h",
            b"hello",
            b"\n",
            b" \n",
            b'\n{"type": "hello"',
            b"{{",
            b"{}",
            b"{\n",
            b'{"t\n',
            b'{"text"',
            b'{"type1"',
            b'{"Type": "hello"',
            b'{"type"; "hello"',
            b'{"type": "hell0"',
            b'{"type": "hello1"',
            b'{"type": "message"',
            b'{"hello": 1, "name": "juliet"}',
            b"{'type': 'hello'",
            b'{"name": "juliet", "type": "hello"}',
            b'"hello"',
            b'\xff{"type": "hello"',
        ],
    )
    def test_no(self, beginning: bytes) -> None:
        assert is_hello(beginning) is False

    @pytest.mark.parametrize(
        "beginning",
        [b"", b"  ", b"{", b" { ", b'{"', b'{"t', b'  {"type', b'{"type" ', b'{"type": ', b'{"type":"hello'],
    )
    def test_not_yet(self, beginning: bytes) -> None:
        assert is_hello(beginning) is None

    @quick
    @given(hellos, st.integers(0, 3), st.integers(0, 3))
    def test_every_cut(self, hello: Hello, before: int, inside: int) -> None:
        """Wherever a hello is cut, it is never taken for anything else, and is known in the end."""
        line = b" " * before + b"{" + b" " * inside + encode(hello).removeprefix(b"{")
        answers = [is_hello(line[:cut]) for cut in range(len(line) + 1)]
        assert False not in answers
        assert answers == sorted(answers, key=lambda answer: answer is True)
        assert answers[-1] is True

    @quick
    @given(any_bytes())
    def test_plain(self, line: bytes) -> None:
        """Wherever a plain line is cut, it is never taken for a hello, and known to be none at its end."""
        answers = [is_hello((line + b"\n")[:cut]) for cut in range(len(line) + 2)]
        assert True not in answers
        assert answers[-1] is False


class WithinTests:
    """Lines are counted up to the first that is too long."""

    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("", 1),
            ("1234", 1),
            ("12345", 0),
            ("1234\n1234\n", 3),
            ("1234\n\n12345\n1", 2),
            ("1\n12345", 1),
            ("éé\n", 2),
            ("ééa", 0),
            ("\U0001f339\n\U0001f339a", 1),
        ],
    )
    def test_limit(self, text: str, count: int) -> None:
        """A line may have as many bytes of UTF-8 as the limit, and no more."""
        assert within(text, 4) == count

    @quick
    @given(clean_texts(), st.integers(0, 9))
    def test_naive(self, text: str, limit: int) -> None:
        """It is what looking at each line would find."""
        lines = text.split("\n")
        fitting = [len(line.encode()) <= limit for line in lines]
        assert within(text, limit) == [*fitting, False].index(False)


class CleanedTests:
    """Text that was never bytes is made as safe as what arrives as bytes."""

    @quick
    @given(any_texts())
    def test_as_bytes(self, text: str) -> None:
        assert sanitize(text) == sanitize_bytes(text.encode())

    @quick
    @given(wild)
    def test_length(self, text: str) -> None:
        """Every character that is unsafe, surrogates too, has another in its place, and all else stays."""
        expected = "".join(
            REPLACEMENT if is_unsafe(char) or "\ud800" <= char <= "\udfff" else char for char in text
        )
        assert sanitize(text) == expected

    def test_line(self) -> None:
        """In one line the end of a line is unsafe too."""
        assert sanitize_line("a\n\tb\r\n\ud800") == f"a{REPLACEMENT}\tb{REPLACEMENT * 3}"
