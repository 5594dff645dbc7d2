"""Reading unit files, as far as ours need it: systemd.unit(5), systemd.exec(5), systemd.service(5)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SHIPPED = CHECKOUT / "contrib" / "systemd"

_SECONDS = {"": 1.0, "s": 1.0, "ms": 0.001, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Places:
    """Where a service manager puts things. All of it is in one tree, made for a test.

    ``root`` stands for the machine's own ``/``, to which the absolute paths in a unit are moved.
    """

    root: Path
    home: Path
    configuration: Path
    runtime: Path
    state: Path

    @classmethod
    def of_system(cls, root: Path) -> Places:
        """Return the places of a machine's service manager."""
        return cls(root, root / "root", root / "etc", root / "run", root / "var" / "lib")

    @classmethod
    def of_user(cls, root: Path) -> Places:
        """Return the places of a user's service manager, as systemd 254 and newer have them."""
        home = root / "home" / "juliet"
        return cls(root, home, home / ".config", root / "run" / "user" / "1000", home / ".local" / "state")

    def expanded(self, text: str) -> str:
        """Return ``text`` with its specifiers replaced; another than ours is an error."""
        values = {"%": "%", "h": self.home, "E": self.configuration, "t": self.runtime, "S": self.state}
        return re.sub("%(.)", lambda found: str(values[found[1]]), text)

    def moved(self, path: str) -> Path:
        """Return where in the tree the absolute ``path`` is, or the same where it is in the tree already."""
        given = Path(path)
        return given if given.is_relative_to(self.root) else self.root / given.relative_to("/")


class Unit:
    """A unit file: sections, and the values of each key in the order in which they stand there."""

    def __init__(self, path: Path, places: Places) -> None:
        self.name, self._places = path.name, places
        self._values: dict[tuple[str, str], list[str]] = {}
        section = ""
        for line in path.read_text().replace("\\\n", " ").splitlines():
            if not line.strip() or line.startswith(("#", ";")):
                continue
            if line.startswith("["):
                section = line.strip("[]")
                continue
            key, equals, value = line.partition("=")
            assert equals, f"{path}: {line!r} is no assignment"
            values = self._values.setdefault((section, key.strip()), [])
            if value.strip():
                values.append(value.strip())
            else:
                values.clear()

    def all(self, section: str, key: str) -> list[str]:
        """Return the values of ``key``, in which specifiers are replaced."""
        return [self._places.expanded(value) for value in self._values.get((section, key), [])]

    def get(self, section: str, key: str, default: str = "") -> str:
        """Return the last value of ``key``."""
        return (self.all(section, key) or [default])[-1]

    def seconds(self, section: str, key: str) -> float | None:
        """Return the time span that ``key`` says: systemd.time(7)."""
        text = self.get(section, key)
        if not text:
            return None
        span = re.fullmatch(r"(\d+)([a-z]*)", text, re.ASCII)
        assert span is not None
        return int(span[1]) * _SECONDS[span[2]]

    def environment(self) -> dict[str, str]:
        """Return what the unit and the files that it names say of the environment."""
        said: dict[str, str] = {}
        for value in self.all("Service", "Environment"):
            said |= dict(word.split("=", 1) for word in shlex.split(value))
        for value in self.all("Service", "EnvironmentFile"):
            path = self._places.moved(value.removeprefix("-"))
            if value.startswith("-") and not path.exists():
                continue
            said |= _assignments(path.read_text())
        return said

    def command(self, key: str, environment: Mapping[str, str]) -> list[str]:
        """Return the words of the command that ``key`` says, its variables replaced."""
        return _replaced(shlex.split(self.get("Service", key)), environment)


def _assignments(text: str) -> dict[str, str]:
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.split("=", 1) for line in lines if line and line[0] not in "#;")
    return {key: " ".join(shlex.split(value)) for key, value in pairs}


def _replaced(words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    variable = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
    return [variable.sub(lambda found: environment[found[1] or found[2]], word) for word in words]
