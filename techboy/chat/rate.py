"""How many lines somebody may say in a time: a token bucket."""

from __future__ import annotations

_ROUNDING = 1e-6  # lines: what floating point may be short by after exactly the time that was waited for


class Bucket:
    """Allows ``rate`` lines a second in the long run, and ``burst`` at once. A ``rate`` of 0 is no limit."""

    __slots__ = ("_burst", "_filled", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._filled = burst, 0.0

    @property
    def unlimited(self) -> bool:
        """Whether anything may be said at once."""
        return not self._rate

    def take(self, lines: int, now: float) -> int:
        """Return how many of ``lines`` may be said at ``now``, in seconds, and count them."""
        if self.unlimited:
            return lines
        self._fill(now)
        taken = min(lines, max(int(self._tokens + _ROUNDING), 0))
        self._tokens -= taken
        return taken

    def spend(self, lines: int, now: float) -> float:
        """Count ``lines``, which were said already; return how many seconds have to pass before more are."""
        if self.unlimited:
            return 0.0
        self._fill(now)
        self._tokens -= lines
        return max(-self._tokens, 0.0) / self._rate

    def wait(self, lines: int) -> float:
        """Return how many seconds after the last `take` there is room for ``lines``, or for a whole burst."""
        missing = min(lines, self._burst) - self._tokens
        return max(missing, 0.0) / self._rate if self._rate else 0.0

    def _fill(self, now: float) -> None:
        """Add what the time since the last call allows: nothing if the clock went back."""
        self._tokens = min(self._burst, self._tokens + max(now - self._filled, 0.0) * self._rate)
        self._filled = now
