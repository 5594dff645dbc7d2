"""Command lines that can't be obeyed."""

from __future__ import annotations

import os
import socket

import pytest

from techboy.exit_status import CANNOT_LISTEN, CONFIG, IO_ERROR, USAGE
from tests.functional.programs import LOOPBACK, NULL, PIPE, SHELL, TWIST, Programs, refusal

FOREIGN = "192.0.2.1"  # RFC 5737: for documentation, nobody's


class ListeningTests:
    """Where Romeo can't listen."""

    @pytest.mark.parametrize("stdin", [PIPE, NULL])
    def test_port_in_use(self, programs: Programs, stdin: int) -> None:
        """A port that somebody else has is one line and an end."""
        with socket.create_server((LOOPBACK, 0)) as other:
            port = str(other.getsockname()[1])
            by_number = programs.twist("romeo", "--host", LOOPBACK, "--port", port, stdin=stdin)
            by_endpoint = programs.twist("romeo", "--listen", f"tcp:{port}:interface={LOOPBACK}", stdin=stdin)
            assert f"{LOOPBACK}:{port}: Address already in use" in refusal(by_number, CANNOT_LISTEN)
            assert "Address already in use" in refusal(by_endpoint, CANNOT_LISTEN)

    def test_one_of_two(self, programs: Programs) -> None:
        """One endpoint of several that can't be had is enough to end."""
        romeo = programs.twist(
            "romeo",
            "--listen",
            "tcp:0:interface=127.0.0.1",
            "--listen",
            f"tcp:0:interface={FOREIGN}",
            stdin=NULL,
        )
        assert "Cannot assign requested address" in refusal(romeo, CANNOT_LISTEN)

    def test_no_address_of_ours(self, programs: Programs) -> None:
        """An address that is not this machine's is one line and an end."""
        hosts = [FOREIGN, "2001:db8::1"]
        started = {host: programs.twist("romeo", "--host", host, "--port", "0", stdin=NULL) for host in hosts}
        for host, program in started.items():
            assert host in refusal(program, CANNOT_LISTEN)


class CommandLineTests:
    """What can be known to be wrong without trying."""

    MISTAKES = [
        "romeo --listen nosuch:1",
        "romeo --listen tcp:many",
        "romeo --listen tcp:0 --port 0",
        "romeo --port 65536",
        "romeo --port many",
        "romeo --nosuch",
        "romeo --once --keep-open",
        "romeo --output loud",
        "romeo --max-line 1",
        "romeo --name !",
        "romeo verona",
        "juliet --port 99999",
        "juliet --timeout 0",
        "juliet --host=",
        "juliet --host 300.1.1.1",
        "juliet --host http://verona:4444",
        "juliet --host verona:4444 --port 4445",
        "romeo --host=",
        "romeo --host 256.1.1.1",
        "romeo --host a..b",
    ]

    def test_help(self, programs: Programs) -> None:
        """Its help is one that head(1) may read the beginning of; `twist` leaves ``-h`` to the program."""
        for name in ("romeo", "juliet"):
            for word in ("--help", "-h"):
                asked = programs.start(SHELL, "-c", f"'{TWIST}' {name} {word} | head -n 1", stdin=NULL)
                assert asked.ends() == 0
                assert asked.output.everything().decode().endswith(f" {name} [options]\n")
                assert asked.errors.everything() == b""

    def test_pipes(self, programs: Programs) -> None:
        """A named pipe to which nobody writes is refused where a file is wanted; nothing waits for it."""
        pipe = programs.folder / "pipe"
        os.mkfifo(pipe)
        statuses = {
            f"romeo --config {pipe}": CONFIG,
            f"juliet --config {pipe}": CONFIG,
            f"romeo --motd {pipe}": USAGE,
            f"romeo --port 0 --transcript {pipe}": IO_ERROR,
            f"romeo --port 0 --state {pipe}": IO_ERROR,
            f"romeo --port 0 --socket {pipe}": CANNOT_LISTEN,
        }
        started = {words: programs.twist(*words.split(), stdin=NULL) for words in statuses}
        for words, program in started.items():
            assert str(pipe) in refusal(program, statuses[words]), words

    def test_mistakes(self, programs: Programs) -> None:
        """A mistake is one line and an end."""
        started = {mistake: programs.twist(*mistake.split(), stdin=NULL) for mistake in self.MISTAKES}
        for mistake, program in started.items():
            assert refusal(program, USAGE).startswith(f"{mistake.split()[0]}: "), mistake
