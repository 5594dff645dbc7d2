"""Tests of the native dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techboy.storage.interface import Batch
from techboy.wire.frames import (
    FIELD,
    FRAME,
    LARGEST,
    UNKNOWN,
    Bye,
    Do,
    Error,
    Goodbye,
    Hello,
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
from techboy.wire.native import (
    is_hello,
    lines_frame,
    read_caller,
    read_host,
    say_frame,
    within,
    written,
)
from techboy.wire.sanitize import REPLACEMENT, clean, cleaned, cleaned_line
from tests.wire.texts import any_bytes, any_texts, clean_texts, is_unsafe, quick

FROM_CALLER = [
    (Hello("juliet"), {"hello": 1, "name": "juliet"}),
    (
        Hello("juliet", "t0ken", "l0g", "#all", 58, version=2),
        {"hello": 2, "name": "juliet", "session": "t0ken", "log": "l0g", "room": "#all", "seen": 58},
    ),
    (Hello("juliet", hears=False), {"hello": 1, "name": "juliet", "hears": False}),
    (Say(17, "one\ntwo"), {"say": "one\ntwo", "seq": 17}),
    (Do("nick", ("rosaline",)), {"do": "nick", "args": ["rosaline"]}),
    (Do("who"), {"do": "who", "args": []}),
    (Ping(3), {"ping": 3}),
    (Ping(3, 58), {"ping": 3, "seen": 58}),
    (Pong(3), {"pong": 3}),
    (Goodbye(), {"bye": True}),
]
WELCOME = {
    "welcome": 1,
    "name": "juliet",
    "session": "t0ken",
    "next": 17,
    "log": "l0g",
    "room": None,
    "after": 50,
    "last": 58,
    "host": "romeo",
    "limits": {"line": 4096, "frame": 262144},
}
FROM_HOST = [
    (Welcome("juliet", "t0ken", 17, "l0g", None, 50, 58, "romeo", Limits(4096, 262144)), WELCOME),
    (
        Welcome("juliet", "t0ken", 17, "l0g", "#all", 50, 58, "romeo", Limits(4096, 262144)),
        {**WELCOME, "room": "#all"},
    ),
    (Stored(19, 58), {"stored": 19, "id": 58}),
    (
        Lines(59, 1795349686.158, "romeo", "say", "one\ntwo"),
        {"id": 59, "at": 1795349686.158, "from": "romeo", "say": "one\ntwo"},
    ),
    (Lines(59, 0.5, "romeo", "me", "climbs"), {"id": 59, "at": 0.5, "from": "romeo", "me": "climbs"}),
    (Moved("#all", 50, 58), {"room": "#all", "after": 50, "last": 58}),
    (Notice("rosaline is here"), {"notice": "rosaline is here"}),
    (Throttled(20), {"throttled": 20}),
    (Missed(7, 57), {"missed": 7, "upto": 57}),
    (Error("gap", "17 is missing", 17), {"error": "gap", "text": "17 is missing", "next": 17}),
    (Error("line", "too long"), {"error": "line", "text": "too long"}),
    (Ping(3), {"ping": 3}),
    (Pong(3), {"pong": 3}),
    (Bye("busy", "come later"), {"bye": "busy", "text": "come later"}),
    (Bye("restart"), {"bye": "restart"}),
]
BOTH = [
    *((frame, fields, read_caller) for frame, fields in FROM_CALLER),
    *((frame, fields, read_host) for frame, fields in FROM_HOST),
]
EACH = pytest.mark.parametrize(("frame", "fields", "read"), BOTH, ids=[repr(frame) for frame, _, _ in BOTH])
ENDS = pytest.mark.parametrize("read", [read_caller, read_host], ids=["from caller", "from host"])

OPTIONAL = {
    "hello": {"session", "log", "room", "seen", "hears"},
    "do": {"args"},
    "ping": {"seen"},
    "welcome": {"room"},
    "error": {"next"},
}
NOT_A_NUMBER = [True, False, -1, LARGEST + 1, 10**399, 1.0, 1.5, "1", [1], {"1": 1}]
NOT_A_MOMENT = [True, -1, -0.5, LARGEST + 1, 1e17, 10**399, "1", [1], {}]
NOT_YES_OR_NO = [0, 1, "true", [True], {}]
NOT_A_STRING = [True, False, 0, 1.5, ["a"], {"a": "a"}]
NOT_STRINGS = [True, 0, "a", {"a": "a"}, ["a", 1], [["a"]], [None]]
NOT_LIMITS = [True, 1, "a", [1, 2], {}, {"line": 1}, {"line": 1, "frame": "2"}, {"line": None, "frame": 2}]

numbers = st.integers(0, LARGEST)
moments = st.floats(0, LARGEST)
texts = clean_texts()
strings = texts.map(lambda text: text.replace("\n", ""))
maybe_numbers = st.none() | numbers
maybe_strings = st.none() | strings
hellos = st.builds(
    Hello, strings, maybe_strings, maybe_strings, maybe_strings, maybe_numbers, st.booleans(), numbers
)
caller_frames = st.one_of(
    hellos,
    st.builds(Say, numbers, texts),
    st.builds(Do, strings, st.lists(strings).map(tuple)),
    st.builds(Ping, numbers, maybe_numbers),
    st.builds(Pong, numbers),
    st.just(Goodbye()),
)
limits = st.builds(Limits, numbers, numbers)
welcomes = st.builds(
    Welcome,
    strings,
    strings,
    numbers,
    strings,
    maybe_strings,
    numbers,
    numbers,
    strings,
    limits,
    numbers,
)
host_frames = st.one_of(
    welcomes,
    st.builds(Stored, numbers, numbers),
    st.builds(Lines, numbers, moments, strings, st.sampled_from(["say", "me"]), texts),
    st.builds(Moved, strings, numbers, numbers),
    st.builds(Notice, strings),
    st.builds(Throttled, numbers),
    st.builds(Missed, numbers, numbers),
    st.builds(Error, strings, strings, maybe_numbers),
    st.builds(Ping, numbers),
    st.builds(Pong, numbers),
    st.builds(Bye, strings, maybe_strings),
)
# what a frame must be a whole line with, whoever filled it
wild = st.text(st.characters() | st.sampled_from('\n\r\x1b\x85\u2028\ud800\udc00"\\'))
wild_frames = st.one_of(
    st.builds(Hello, wild, wild),
    st.builds(Say, numbers, wild),
    st.builds(Do, wild, st.lists(wild).map(tuple)),
    st.builds(Lines, numbers, moments, wild, st.sampled_from(["say", "me"]), wild),
    st.builds(Notice, wild),
    st.builds(Error, wild, wild),
    st.builds(Bye, wild, wild),
)
names = st.sampled_from(sorted({name for _, fields in [*FROM_CALLER, *FROM_HOST] for name in fields}))
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


def wrong_values(kind: str, name: str, value: object) -> list[Any]:
    """Return what the field ``name`` of a frame of that ``kind``, where ``value`` is right, must not be."""
    if kind == "bye" and value is True:
        return [False, 1, "true", [True]]
    if name == "hears":
        return NOT_YES_OR_NO
    if name == "at":
        return NOT_A_MOMENT
    if name == "room" or isinstance(value, str):
        return NOT_A_STRING
    if isinstance(value, int):
        return NOT_A_NUMBER
    return NOT_STRINGS if isinstance(value, list) else NOT_LIMITS


class WrittenTests:
    """A frame is an object on a line."""

    @EACH
    def test_fields(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """Each frame has its fields, and its line an end."""
        line = written(frame)
        assert json.loads(line) == fields
        assert line.endswith(b"}\n")

    @pytest.mark.parametrize(
        ("frame", "line"),
        [
            (Hello("juliet"), '{"hello": 1, "name": "juliet"}\n'),
            (Say(17, 'é\tü\n"\\'), '{"say": "é\tü\\n\\"\\\\", "seq": 17}\n'.replace("\t", "\\t")),
            (Lines(5, 1.25, "romeo", "me", "ж\n"), '{"id": 5, "at": 1.25, "from": "romeo", "me": "ж\\n"}\n'),
        ],
    )
    def test_bytes(self, frame: Any, line: str) -> None:
        """Text is UTF-8, and readable as it stands."""
        assert written(frame) == line.encode()

    def test_bulk(self) -> None:
        """What is said in bulk has a short way, to the same lines."""
        batch = Batch(59, 60, 1795349686.158, 7, "romeo", "say", "one\ntwo")
        assert say_frame(17, "one\ntwo") == written(Say(17, "one\ntwo"))
        assert lines_frame(batch) == written(Lines(59, 1795349686.158, "romeo", "say", "one\ntwo"))

    def test_misread(self) -> None:
        """What could not be read is answered as it is."""
        assert read_host(written(Misread(FIELD, "seq is missing"))) == Error(FIELD, "seq is missing")

    @quick
    @given(wild_frames)
    def test_one_line(self, frame: Any) -> None:
        """Whatever is in a frame, it is one line of JSON in UTF-8."""
        line = written(frame)
        assert line.index(b"\n") == len(line) - 1
        assert isinstance(json.loads(line.decode()), dict)

    @quick
    @given(caller_frames)
    def test_caller(self, frame: Any) -> None:
        """A host reads what a caller wrote."""
        assert read_caller(written(frame)) == frame

    @quick
    @given(host_frames)
    def test_host(self, frame: Any) -> None:
        """A caller reads what a host wrote."""
        assert read_host(written(frame)) == frame


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
        kind = next(iter(set(fields) & {"say", "me"}), next(iter(fields)))
        for name in set(fields) - OPTIONAL.get(kind, set()) - {kind} - ({"text"} if kind == "bye" else set()):
            for others in ({**fields, name: None}, {key: fields[key] for key in fields if key != name}):
                assert read(line_of(others)) == Misread(FIELD, f"{name} is missing")

    @EACH
    def test_optional(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """Null is the same as a field that may be missing."""
        for name in OPTIONAL.get(next(iter(fields)), set()):
            without = {key: value for key, value in fields.items() if key != name}
            there = read(line_of({**without, name: None}))
            assert there == read(line_of(without))
            assert type(there) is type(frame)

    @EACH
    def test_wrong(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """A field that is something else than it has to be is an error that names it."""
        kind = next(iter(set(fields) & {"say", "me"}), next(iter(fields)))
        for name, value in fields.items():
            for wrong in wrong_values(kind, name, value):
                answer = read(line_of({**fields, name: wrong}))
                assert isinstance(answer, Misread), wrong
                assert answer.code == FIELD
                assert answer.text.startswith(f"{name}: ")

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            (b"", "this is not JSON: Expecting value at character 0"),
            (b"\n", "this is not JSON: Expecting value at character 1"),
            (b"hello", "this is not JSON: Expecting value at character 0"),
            (b'{"ping": 1', "this is not JSON: Expecting ',' delimiter at character 10"),
            (b'{"ping": 1} {}', "this is not JSON: Extra data at character 12"),
            (b'\xef\xbb\xbf{"ping": 1}', "this is not JSON: Expecting value at character 0"),
            (b'{"say": "a\tb", "seq": 1}', "this is not JSON: Invalid control character at at character 10"),
            (b'{"ping": 1, "a": NaN}', "this is not JSON: NaN"),
            (b'{"ping": 1, "a": [-Infinity]}', "this is not JSON: -Infinity"),
            (b'{"ping": 1, "a": 1e999}', "this has a number that is too large"),
            (b'{"ping": 1, "ping": 1}', "this has a name twice"),
            (b'{"ping": 1, "a": [{"b": 1, "\\u0062": 1}]}', "this has a name twice"),
            (b'{"say": "caf\xe9", "seq": 1}', "this is not UTF-8"),
            (b'{"say": "\xed\xa0\x80", "seq": 1}', "this is not UTF-8"),
            ('{"ping": 1}'.encode("utf-16"), "this is not UTF-8"),
            (b"[1]", "this is not an object"),
            (b'"hello"', "this is not an object"),
            (b"1", "this is not an object"),
            (b"null", "this is not an object"),
            (b'{"ping": ' + b"9" * 401 + b"}", "this has a number of too many digits"),
            (b'{"ping": -' + b"9" * 200_000 + b"}", "this has a number of too many digits"),
            (b"[" * 200_000, "this is nested too deeply"),
            (b'{"a":' * 50_000, "this is nested too deeply"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    @ENDS
    def test_broken(self, read: Any, line: bytes, text: str) -> None:
        """A line that is no object, or not one for all readers of JSON, is no frame."""
        assert read(line) == Misread(FRAME, text)

    @pytest.mark.parametrize(
        "fields", [{}, {"sing": "la"}, {"Ping": 1}, {"ping": None}, {"seq": 1}, {"id": 1, "text": "a"}]
    )
    @ENDS
    def test_unknown(self, read: Any, fields: dict[str, Any]) -> None:
        """A frame of no known kind is an error, and not a broken one."""
        assert read(line_of(fields)) == Misread(UNKNOWN, "this is no frame that is known here")

    @pytest.mark.parametrize("fields", [fields for _, fields in FROM_HOST[:8]])
    def test_not_from_caller(self, fields: dict[str, Any]) -> None:
        """A caller can't take the host's part."""
        answer = read_caller(line_of({key: fields[key] for key in fields if key != "say"}))
        assert answer == Misread(UNKNOWN, "this is no frame that is known here")

    def test_several_kinds(self) -> None:
        """A frame that could be of several kinds is always of the same, in whatever order its fields are."""
        assert read_caller(b'{"ping": 1, "seq": 2, "say": "a"}') == Say(2, "a")
        assert read_caller(b'{"say": "a", "ping": 1, "seq": 2}') == Say(2, "a")
        assert read_host(b'{"room": "a", "id": 1, "at": 1, "from": "b", "say": "c"}') == Lines(
            1, 1, "b", "say", "c"
        )

    def test_whole_moment(self) -> None:
        """A time may be a whole number."""
        frame = read_host(b'{"id": 1, "at": 1795349686, "from": "romeo", "say": ""}')
        assert isinstance(frame, Lines)
        assert isinstance(frame.at, float)

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
        assert read_caller(f'{{"say": "{escaped}", "seq": 1}}'.encode()) == Say(1, text)
        lines = f'{{"id": 1, "at": 1, "from": "romeo", "me": "{escaped}"}}'.encode()
        assert read_host(lines) == Lines(1, 1.0, "romeo", "me", text)

    @EACH
    def test_one_line(self, frame: Any, fields: dict[str, Any], read: Any) -> None:
        """A string that is one line stays one, and is as safe as all text."""
        for name in (
            name for name, value in fields.items() if isinstance(value, str) and name not in ("say", "me")
        ):
            for wild, tame in [
                ("a\nb", "a\ufffdb"),
                ("a\r\n", "a\ufffd\ufffd"),
                ("\ud800\x1b", "\ufffd\ufffd"),
            ]:
                assert read(line_of({**fields, name: wild})) == read(line_of({**fields, name: tame}))

    def test_args(self) -> None:
        """So is each argument of a command."""
        assert read_caller(rb'{"do": "a\nb", "args": ["\n", "\u0007 \t"]}') == Do(
            f"a{REPLACEMENT}b", (REPLACEMENT, f"{REPLACEMENT} \t")
        )

    @quick
    @given(objects | pieces)
    def test_anything(self, line: bytes) -> None:
        """Whatever arrives, it is read without an exception, and what it is can be written."""
        for read in (read_caller, read_host):
            frame = read(line)
            text = written(frame).decode()
            assert not any(is_unsafe(char) for char in text[:-1])
            if not isinstance(frame, Misread):
                assert read(text.encode()) == frame


class FramesTests:
    """Frames know a little of themselves."""

    @pytest.mark.parametrize(("text", "last"), [("", 59), ("a", 59), ("a\nb", 60), ("\n\n", 61)])
    def test_last(self, text: str, last: int) -> None:
        """Lines have ids, one after the other."""
        assert Lines(59, 0.0, "romeo", "say", text).last == last

    def test_token(self) -> None:
        """The token of a session, which is a secret, is not shown where a frame is."""
        [welcome, *_] = (frame for frame, _ in FROM_HOST)
        assert "t0ken" not in repr(welcome)
        assert "t0ken" not in repr(Hello("juliet", "t0ken"))


class IsHelloTests:
    """A native caller is known as early as it can be, and so is a plain one."""

    @pytest.mark.parametrize(
        "beginning",
        [b'{"hello"', b'{"hello": 1, "name": "juliet"}\n', b' { "hello"', b'{"hello" :', b'{"hello"?'],
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
            b'\n{"hello"',
            b"{{",
            b"{}",
            b"{\n",
            b'{"h\n',
            b'{"help"',
            b'{"hello1"',
            b'{"Hello"',
            b"{'hello'",
            b'{"name": "juliet", "hello": 1}',
            b'\t{"hello"',
            b'"hello"',
            b'\xff{"hello"',
        ],
    )
    def test_no(self, beginning: bytes) -> None:
        assert is_hello(beginning) is False

    @pytest.mark.parametrize("beginning", [b"", b"  ", b"{", b" { ", b'{"', b'{"h', b'  {"hello'])
    def test_not_yet(self, beginning: bytes) -> None:
        assert is_hello(beginning) is None

    @quick
    @given(hellos, st.integers(0, 3), st.integers(0, 3))
    def test_every_cut(self, hello: Hello, before: int, inside: int) -> None:
        """Wherever a hello is cut, it is never taken for anything else, and is known in the end."""
        line = b" " * before + b"{" + b" " * inside + written(hello).removeprefix(b"{")
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
        assert cleaned(text) == clean(text.encode())

    @quick
    @given(wild)
    def test_length(self, text: str) -> None:
        """Every character that is unsafe, surrogates too, has another in its place, and all else stays."""
        expected = "".join(
            REPLACEMENT if is_unsafe(char) or "\ud800" <= char <= "\udfff" else char for char in text
        )
        assert cleaned(text) == expected

    def test_line(self) -> None:
        """In one line the end of a line is unsafe too."""
        assert cleaned_line("a\n\tb\r\n\ud800") == f"a{REPLACEMENT}\tb{REPLACEMENT * 3}"
