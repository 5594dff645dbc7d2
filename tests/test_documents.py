"""What the documents say there is, and what there is."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pytest
from docutils.core import publish_doctree
from docutils.nodes import Element, literal, row, section, title
from prometheus_client.core import Metric

from techboy import exit_status, juliet, romeo
from techboy.chat.counters import RejectReason
from techboy.config.options import ConversationOptions
from techboy.net.connection_log import CloseReason
from techboy.ops.histogram import Histogram
from techboy.ops.reactor_lag import ReactorLagMonitor
from techboy.server.metrics import MetricsCollector
from techboy.server.monitored import MonitoredServer
from techboy.server.service import RoomServer
from techboy.terminal.interface import InputSource
from tests.children import run
from tests.programs import Running

CHECKOUT = Path(__file__).parent.parent
README = CHECKOUT / "README.rst"
OPERATING = CHECKOUT / "docs" / "operating.rst"
DEPLOYING = CHECKOUT / "docs" / "deploying.rst"
EXAMPLE = CHECKOUT / "contrib" / "techboy.toml"
PAGES = sorted([*CHECKOUT.glob("*.rst"), *CHECKOUT.glob("docs/*.rst")])
PROGRAMS = pytest.mark.parametrize("options", [romeo.Options, juliet.Options], ids=["romeo", "juliet"])
ANSWERED = {"help", "version"}
ON_THE_COMMAND_LINE = {*ANSWERED, "config", "check"}


def part(path: Path, heading: str) -> Element:
    """Return the section of the document ``path`` that has that heading."""
    document = publish_doctree(path.read_text("utf-8"), settings_overrides={"report_level": 5})
    [found] = [each for each in document.findall(section) if each.next_node(title).astext() == heading]
    return found


def first_column(element: Element) -> list[str]:
    """Return what stands in the first column of all tables in ``element``, headings too."""
    return [each[0].astext() for each in element.findall(row)]


def literals(element: Element) -> list[str]:
    """Return what is written as code in the first column of the tables in ``element``."""
    return [text.astext() for each in element.findall(row) for text in each[0].findall(literal)]


def long_options(options: type[ConversationOptions]) -> set[str]:
    """Return the names of the long options of a program."""
    return {name.rstrip("=") for name in options().longOpt}


def families() -> Iterable[Metric]:
    """Return the figures of a host of many."""
    host = Running(RoomServer, romeo.Options(), ["--host", "127.0.0.1"], InputSource.NONE)
    program: RoomServer = host.program
    watched = MonitoredServer(program.chat, program.broker, list, lambda: None)
    return MetricsCollector(watched, Histogram(), ReactorLagMonitor(host.reactor)).collect()


def figures() -> set[str]:
    """Return the names of the figures of ours, as Prometheus has them."""
    return {f"{each.name}_total" if each.type == "counter" else each.name for each in families()}


def statuses() -> set[int]:
    """Return the exit statuses that a program sets."""
    return {value for name, value in vars(exit_status).items() if name.isupper() and isinstance(value, int)}


class OptionsTests:
    """Whoever looks for an option finds it."""

    @PROGRAMS
    def test_readme(self, options: type[ConversationOptions]) -> None:
        """The tables of the README have all options of a program, and no other."""
        told = [text for text in literals(part(README, options.program.capitalize())) if text[:2] == "--"]
        names = [text.split()[0].removeprefix("--") for text in told]
        assert sorted(names) == sorted(long_options(options) - ANSWERED)

    @PROGRAMS
    def test_example(self, options: type[ConversationOptions]) -> None:
        """The example of a configuration has all options that a file can have, each once."""
        _, _, rest = EXAMPLE.read_text("utf-8").partition(f"[{options.program}]\n")
        table, _, _ = rest.partition("\n[")
        names = re.findall(r"(?m)^#([a-z-]+) = ", table)
        assert sorted(names) == sorted(long_options(options) - ON_THE_COMMAND_LINE)


class FiguresTests:
    """Whoever looks for a figure finds what it means."""

    def test_all(self) -> None:
        """The page for operators has all figures of ours, and no other."""
        told = {re.split("[{]", text)[0] for text in literals(part(OPERATING, "Metrics"))}
        assert {name for name in told if name.startswith("techboy_")} == figures()

    def test_reasons(self) -> None:
        """It has all reasons for which something is refused, and no other."""
        told = {text for text in literals(part(OPERATING, "Metrics")) if re.fullmatch("[a-z_]+", text)}
        assert told - {"reason"} - figures() == {why.value for why in RejectReason}

    def test_labels(self) -> None:
        """The labels that it shows are those that the figures have."""
        page = OPERATING.read_text("utf-8")
        labels = {(each.name, label) for each in families() for one in each.samples for label in one.labels}
        for name, label in labels - {("techboy_commit_duration_seconds", "le")}:
            assert re.search(rf"``{name}(_total)?{{([a-z]+,)*{label}[,}}=]", page), (name, label)


class LogTests:
    """Whoever reads a log finds what its words mean."""

    def test_ends(self) -> None:
        """The page for operators has all ways in which a connection ends."""
        assert {end.value for end in CloseReason} <= set(first_column(part(OPERATING, "The log")))

    def test_events(self) -> None:
        """It has all events that a log can have, and no other."""
        sources = [path.read_text("utf-8") for path in CHECKOUT.glob("techboy/**/*.py")]
        said = {event for text in sources for event in re.findall(r'event="(\w+)"', text)}
        connection_log = (CHECKOUT / "techboy" / "net" / "connection_log.py").read_text("utf-8")
        said |= set(re.findall(r'"[^"]*[ {][^"]*",\s*"([a-z_]+)"', connection_log)) | {"joined", "resumed"}
        table = part(OPERATING, "The log").findall(row)
        told = {each[0].astext() for each in table} - {end.value for end in CloseReason} - {"event"}
        assert told == said


class VariablesTests:
    """Whoever wonders what is read from the environment finds it."""

    OTHERS: ClassVar = {"AF_UNIX", "INET", "UNIX", "O_BINARY", "O_NOCTTY", "O_NONBLOCK"}
    """Words in the modules concerned that are no variables."""

    def test_all(self) -> None:
        """The page for operators has every variable of a session or a service manager that is read."""
        sources = [path.read_text("utf-8") for path in CHECKOUT.glob("techboy/**/*.py")]
        readers = "".join(text for text in sources if "environ" in text)
        read = set(re.findall(r'"([A-Z][A-Z_]+[A-Z])"', readers)) - self.OTHERS
        assert {"TERM", "NO_COLOR", "NOTIFY_SOCKET", "STATE_DIRECTORY", "LISTEN_FDS"} <= read
        assert read <= set(literals(part(OPERATING, "The environment")))


class ExitStatusesTests:
    """Whoever is told an exit status finds what it means."""

    def test_readme(self) -> None:
        """The README has all statuses that a program sets, and that of SIGTERM."""
        told = {int(text) for text in first_column(part(README, "Exit statuses"))}
        assert told == {*statuses(), 143}

    def test_deploying(self) -> None:
        """The page on services has all of them that tell of trouble."""
        column = first_column(part(DEPLOYING, "When something is wrong"))
        told = {int(text) for text in column if text.isdigit()}
        assert told == {*statuses(), 143} - {exit_status.OK}


class PagesTests:
    """The documents can be read as pages."""

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_strict(self, page: Path) -> None:
        """A page has no mistake of markup."""
        command = [sys.executable, "-m", "docutils", "--strict", str(page), os.devnull]
        made = run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (made.returncode, made.stderr) == (0, "")

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_paths(self, page: Path) -> None:
        """The files that a page names are there."""
        named = re.findall(r"``((?:docs|tests|contrib)/[\w/.-]+)``", page.read_text("utf-8"))
        assert [name for name in named if not (CHECKOUT / name).exists()] == []

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_modules(self, page: Path) -> None:
        """The modules that a page names are there."""
        folders = "|".join(each.name for each in (CHECKOUT / "techboy").iterdir() if each.is_dir())
        named = re.findall(rf"``((?:{folders})[.][a-z_]+)", page.read_text("utf-8"))
        modules = [CHECKOUT / "techboy" / f"{name.replace('.', '/')}.py" for name in named]
        missing = [each for each in modules if not (each.exists() or each.with_suffix("").is_dir())]
        assert missing == []
