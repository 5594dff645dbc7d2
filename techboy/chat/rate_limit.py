"""How many lines somebody may say in a time: a token bucket."""

from __future__ import annotations

_ROUNDING = 1e-6  # lines: what floating point may be short by after exactly the time that was waited for


class Bucket:
    """Allows ``rate`` lines a second in the long run, and ``burst`` at once. A ``rate`` of 0 is no limit.

    ``shortages`` counts how often more was said than it allowed: once from the first line that had to wait
    until it is full again.
    """

    __slots__ = ("_burst", "_filled", "_short", "_tokens", "rate", "shortages")

    def __init__(self, rate: int, burst: int) -> None:
        self.rate, self._burst = rate, burst
        self._tokens, self._filled = float(burst), 0.0
        self.shortages, self._short = 0, False

    @property
    def unlimited(self) -> bool:
        """Whether anything may be said at once."""
        return not self.rate

    def take(self, lines: int, now: float) -> int:
        """Return how many of ``lines`` may be said at ``now``, in seconds, and count them."""
        if self.unlimited:
            return lines
        self._fill(now)
        taken = min(lines, max(int(self._tokens + _ROUNDING), 0))
        self._tokens -= taken
        if taken < lines:
            self._run_short()
        return taken

    def spend(self, lines: int, now: float) -> float:
        """Count ``lines``, which were said already; return how many seconds have to pass before more are."""
        if self.unlimited:
            return 0.0
        self._fill(now)
        self._tokens -= lines
        if self._tokens < 0:
            self._run_short()
        return max(-self._tokens, 0.0) / self.rate

    def wait(self, lines: int) -> float:
        """Return how many seconds after the last `take` there is room for ``lines``, or for a whole burst."""
        missing = min(lines, self._burst) - self._tokens
        return max(missing, 0.0) / self.rate if self.rate else 0.0

    def _fill(self, now: float) -> None:
        """Add what the time since the last call allows: nothing if the clock went back."""
        self._tokens = min(self._burst, self._tokens + max(now - self._filled, 0.0) * self.rate)
        self._filled = now
        if self._tokens >= self._burst:
            self._short = False

    def _run_short(self) -> None:
        if not self._short:
            self._short, self.shortages = True, self.shortages + 1
