"""Tests of what somebody may be called, and of who is called what."""

from __future__ import annotations

import pytest

from techboy.chat.nicknames import MAX_LENGTH, RESERVED, NicknameRegistry, checked_nickname


class CheckedNameTests:
    """A name is one short word."""

    @pytest.mark.parametrize("name", ["j", "juliet", "Julie-Ann", "j.capulet_2", "-", "42", "x" * MAX_LENGTH])
    def test_taken(self, name: str) -> None:
        """Letters, digits, dots and dashes make a name."""
        assert checked_nickname(name) == name

    @pytest.mark.parametrize(
        "name",
        ["", "x" * (MAX_LENGTH + 1), "two words", "juliet:", "a/b", "j\n", "\x1b[2J", "\u202ejuliet", "@x"],
    )
    def test_refused(self, name: str) -> None:
        """What could be taken for something else than a name is none, and it is said why."""
        with pytest.raises(ValueError, match=r"^invalid name .*: expected 1-32 letters") as refused:
            checked_nickname(name)
        assert repr(name) in str(refused.value)

    @pytest.mark.parametrize("name", ["jüliet", "rom\u0435o", "\uff52omeo", "juliet\u0663", "e\u0301"])
    def test_look_alike(self, name: str) -> None:
        """Letters and digits that can look like those of another name make none."""
        with pytest.raises(ValueError, match=r"letters \(a to z\), digits"):
            checked_nickname(name)


class ClaimTests:
    """Who wants a name gets it, or one that is like it."""

    def test_claim(self) -> None:
        """A free name is given as it was written, and its holder is found by it in any case."""
        names = NicknameRegistry[str]()
        assert names.claim("Juliet", "her") == "Juliet"
        assert names.get("jULIET") == "her"

    def test_nobody(self) -> None:
        """Nobody is found by a name that was not given."""
        assert NicknameRegistry[str]().get("juliet") is None

    def test_numbered(self) -> None:
        """A name that is taken, in any case, gets the next number, and its first holder keeps it."""
        names = NicknameRegistry[str]()
        given = [names.claim("Juliet", "a"), names.claim("juliet", "b"), names.claim("JULIET", "c")]
        assert given == ["Juliet", "juliet2", "JULIET3"]
        assert [names.get(name) for name in given] == ["a", "b", "c"]

    def test_numbered_and_long(self) -> None:
        """A number makes no name longer than a name may be."""
        names = NicknameRegistry[int]()
        longest = "x" * MAX_LENGTH
        given = [names.claim(longest, holder) for holder in range(10)]
        assert given[0] == longest
        assert given[1] == "x" * (MAX_LENGTH - 1) + "2"
        assert given[9] == "x" * (MAX_LENGTH - 2) + "10"

    def test_own(self) -> None:
        """Who has a name already may write it in another way."""
        names = NicknameRegistry[str]()
        names.claim("juliet", "her")
        assert names.claim("Juliet", "her") == "Juliet"

    @pytest.mark.parametrize("name", [*sorted(RESERVED), "Root", "EVERYONE", "romeo", "Romeo"])
    def test_reserved(self, name: str) -> None:
        """A name that would mislead is given to nobody who asks, whatever its case."""
        names = NicknameRegistry[str](["Romeo"])
        with pytest.raises(ValueError, match=f"^{name} is reserved$"):
            names.claim(name, "her")
        assert names.get(name) is None

    @pytest.mark.parametrize("name", ["guest1", "Guest42", "GUEST007"])
    def test_guests(self, name: str) -> None:
        """The name of a guest is for who has none."""
        with pytest.raises(ValueError, match="is reserved"):
            NicknameRegistry[str]().claim(name, "her")

    @pytest.mark.parametrize("name", ["guests", "guest1a", "myguest1", "roots", "romeo2"])
    def test_not_reserved(self, name: str) -> None:
        """A name that is only like a reserved one may be had."""
        assert NicknameRegistry[str](["romeo"]).claim(name, "her") == name

    def test_no_name(self) -> None:
        """What is no name is refused as such."""
        with pytest.raises(ValueError, match=r"^invalid name .*: expected 1-32 letters"):
            NicknameRegistry[str]().claim("two words", "her")


class NamesTests:
    """Names are given and given back."""

    def test_guest(self) -> None:
        """Guests are numbered, and no number is given twice."""
        names = NicknameRegistry[str]()
        assert names.default_name("a") == "guest1"
        names.release("guest1", "a")
        assert names.default_name("b") == "guest2"
        assert names.get("Guest2") == "b"

    def test_take(self) -> None:
        """A given name may be reserved; its holder may take it twice."""
        names = NicknameRegistry[str](["romeo"])
        for _ in range(2):
            names.take("Romeo", "him")
            assert names.get("romeo") == "him"

    def test_take_from_another(self) -> None:
        """A name that somebody else has is refused, in any case, and stays with its holder."""
        names = NicknameRegistry[str]()
        names.claim("Juliet", "a")
        with pytest.raises(ValueError, match="juliet is taken"):
            names.take("juliet", "b")
        assert names.get("juliet") == "a"

    def test_release(self) -> None:
        """A name that was given back, in any case, is free."""
        names = NicknameRegistry[str]()
        names.claim("Juliet", "a")
        names.release("juliet", "a")
        assert names.get("Juliet") is None
        assert names.claim("juliet", "b") == "juliet"

    def test_release_of_another(self) -> None:
        """Nobody gives back what is another's."""
        names = NicknameRegistry[str]()
        names.claim("juliet", "a")
        names.release("juliet", "b")
        names.release("nurse", "b")
        assert names.get("juliet") == "a"


class UniqueNameTests:
    """No two have the same name, however they came by it."""

    def test_numbers_and_guests(self) -> None:
        """A name that was given a number is never a guest's, and no guest's name is given twice."""
        names: NicknameRegistry[str] = NicknameRegistry()
        assert names.claim("guest", "a") == "guest"
        with_number = names.claim("guest", "b")
        assert names.get(with_number) == "b"
        assert names.default_name("c") not in ("guest", with_number)
        assert names.default_name("d") not in ("guest", with_number)
        assert names.get(with_number) == "b"

    @pytest.mark.parametrize("wanted", ["guest", "GUEST", "guest" + "1" * (MAX_LENGTH - 6) + "x"])
    def test_number_like_a_guest(self, wanted: str) -> None:
        """A number never makes a name into one that only guests get, nor is a number needed twice."""
        names: NicknameRegistry[str] = NicknameRegistry()
        taken = [names.claim(wanted, str(holder)) for holder in range(12)]
        assert len({name.lower() for name in taken}) == 12
        for name in taken:
            names.check(name)

    def test_number_of_a_reserved_name(self) -> None:
        """A name that is taken gets no number that makes it somebody else's."""
        names: NicknameRegistry[str] = NicknameRegistry(["bob2"])
        assert [names.claim("bob", "a"), names.claim("bob", "b")] == ["bob", "bob3"]
