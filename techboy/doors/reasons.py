"""Why something could not be opened, for people."""

from __future__ import annotations

from twisted.internet.error import CannotListenError


def reason_of(error: BaseException | None) -> str:
    """Return in one line why ``error`` was raised: the system's own words where it refused something."""
    if isinstance(error, CannotListenError):
        error = error.socketError
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0] or type(error).__name__
