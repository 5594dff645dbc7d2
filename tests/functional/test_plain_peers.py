"""Peers that are none of ours: the original scripts, and the tools that everybody has."""

from __future__ import annotations

import shutil

import pytest
from _pytest.mark import ParameterSet

from tests.children import run
from tests.functional.programs import LOOPBACK, Peer, Program, Programs, Terminal, free_port


class OriginalScriptTests:
    """Peers that send without a newline, take what arrives for a message, and know no other `exit`."""

    def converses(self, program: Terminal, name: str, peer: Peer) -> None:
        """Let both talk. ``name``: what ``program`` calls the peer."""
        program.shows("Connected to ")
        for text in ("hello", "Ça va ? 我 🌹", "exit, pursued by a bear", "/etc"):
            peer.says(text)
            if text == "/etc" and name == "juliet":
                assert peer.receives().startswith("* unknown command /etc")
            else:
                program.shows(f"{name}: {text}\r\n")
        whole = "in pieces ½".encode()
        peer.says(whole[:-1])
        peer.says(whole[-1:])
        program.shows(f"{name}: in pieces ½\r\n")
        program.writes("a reply ½\n")
        assert peer.receives() == "a reply ½"
        peer.says("and")
        program.shows(f"{name}: and\r\n")
        program.writes("two\nlines\n")
        received = peer.receives()
        while not received.endswith("lines"):
            received += peer.receives()
        assert received == "two\nlines"

    @pytest.mark.parametrize("leaves", ["peer", "program"])
    def test_juliet(self, programs: Programs, leaves: str) -> None:
        """Romeo talks to the original Juliet, message by message, and either can leave."""
        romeo = programs.romeo_in_terminal()
        juliet = programs.caller(romeo.port)
        self.converses(romeo, "juliet", juliet)
        self.leave(romeo, juliet, leaves)

    @pytest.mark.parametrize("leaves", ["peer", "program"])
    def test_romeo(self, programs: Programs, leaves: str) -> None:
        """Juliet talks to the original Romeo, message by message, and either can leave."""
        listener = programs.listener()
        juliet = programs.juliet_in_terminal(listener.port, "--plain")
        romeo = programs.answer(listener)
        self.converses(juliet, "romeo", romeo)
        self.leave(juliet, romeo, leaves)

    def leave(self, program: Terminal, peer: Peer, leaves: str) -> None:
        """Let one of them leave as the original scripts do: `exit` and a close, or a close alone."""
        if leaves == "peer":
            peer.says("eXit")
            peer.close()
            program.shows("Connection closed by ")
        else:
            program.writes("exit\n")
            assert peer.receives() in ("", "exit")
            peer.close()
        assert program.ends() == 0


def has(tool: str) -> bool:
    """Tell whether ``tool`` is here; of the two `nc`, OpenBSD's is meant."""
    if shutil.which(tool) is None:
        return False
    if tool != "nc":
        return True
    usage = run(["/usr/bin/env", "nc", "-h"], capture_output=True, check=False)
    return b"OpenBSD" in usage.stderr + usage.stdout


def needing(command: str) -> ParameterSet:
    """Return ``command``, to be skipped where its tool is missing."""
    tool = command.split()[0]
    reason = f"{tool} is not installed"
    return pytest.param(command, marks=pytest.mark.skipif(not has(tool), reason=reason), id=tool)


class ToolTests:
    """Tools that send what is typed and show what arrives."""

    GUESTS = ["nc HOST PORT", "ncat HOST PORT", "socat - TCP:HOST:PORT", "telnet HOST PORT"]
    HOSTS = ["nc -l HOST PORT", "ncat -l HOST PORT", "socat - TCP-LISTEN:PORT,bind=HOST,reuseaddr"]

    def start(self, programs: Programs, command: str, port: int) -> Program:
        """Start a tool."""
        return programs.start(*command.replace("HOST", LOOPBACK).replace("PORT", str(port)).split())

    def converse(self, program: Program, tool: Program) -> None:
        """Let both talk, accents and all."""
        program.states("Connected to ")
        program.writes("hello ½ 我\n")
        tool.shows("hello ½ 我\n")
        tool.writes("hello yourself ¿?\n")
        program.shows("hello yourself ¿?\n")
        program.writes("one\ntwo\n")
        tool.shows("one\ntwo\n")

    @pytest.mark.parametrize("command", [needing(command) for command in GUESTS])
    def test_guest(self, programs: Programs, command: str) -> None:
        """It talks to Romeo, and its `exit` ends both."""
        romeo = programs.romeo()
        tool = self.start(programs, command, romeo.port)
        self.converse(romeo, tool)
        tool.writes("exit\n")
        tool.end_input()
        tool.ends()
        assert romeo.ends() == 0
        assert romeo.output.everything().decode() == "hello yourself ¿?\n"

    @pytest.mark.parametrize("command", [needing(command) for command in HOSTS])
    def test_host(self, programs: Programs, command: str) -> None:
        """Juliet talks to it, and her goodbye ends both."""
        port = free_port()
        tool = self.start(programs, command, port)
        juliet = programs.juliet(port, "--plain")
        self.converse(juliet, tool)
        juliet.end_input()
        tool.end_input()
        tool.ends()
        assert juliet.ends() == 0
        assert juliet.output.everything().decode() == "hello yourself ¿?\n"
