"""The rate limit for lines: a token bucket."""

from __future__ import annotations

_ROUNDING = 1e-6  # lines; floating point may be short by so much after exactly the time to wait


class TokenBucket:
    """Allows ``rate`` lines a second in the long run, and ``burst`` at once. A ``rate`` of 0 is no limit.

    ``shortages`` counts how often the limit was exceeded: once from the first line that had to wait until the
    bucket is full again.
    """

    __slots__ = ("_burst", "_filled", "_short", "_tokens", "rate", "shortages")

    def __init__(self, rate: int, burst: int) -> None:
        self.rate, self._burst = rate, burst
        self._tokens, self._filled = float(burst), 0.0
        self.shortages, self._short = 0, False

    @property
    def unlimited(self) -> bool:
        """Whether there is no limit."""
        return not self.rate

    def take(self, lines: int, now: float) -> int:
        """Return how many of ``lines`` are allowed at ``now``, in seconds, and count them."""
        if self.unlimited:
            return lines
        self._fill(now)
        allowed = min(lines, max(int(self._tokens + _ROUNDING), 0))
        self._tokens -= allowed
        if allowed < lines:
            self._run_short()
        return allowed

    def spend(self, lines: int, now: float) -> float:
        """Count ``lines`` accepted at ``now``; return the seconds to wait before more are allowed."""
        if self.unlimited:
            return 0.0
        self._fill(now)
        self._tokens -= lines
        if self._tokens < 0:
            self._run_short()
        return max(-self._tokens, 0.0) / self.rate

    def wait(self, lines: int) -> float:
        """Return the seconds from the last `take` until ``lines``, or a whole burst if less, are allowed."""
        missing = min(lines, self._burst) - self._tokens
        return max(missing, 0.0) / self.rate if self.rate else 0.0

    def _fill(self, now: float) -> None:
        """Add tokens for the time since the last call: none if the clock was set back."""
        self._tokens = min(self._burst, self._tokens + max(now - self._filled, 0.0) * self.rate)
        self._filled = now
        if self._tokens >= self._burst:
            self._short = False

    def _run_short(self) -> None:
        if not self._short:
            self._short, self.shortages = True, self.shortages + 1
