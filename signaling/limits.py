"""How much one connection may ask of the server."""

from __future__ import annotations

# Protocol section 3: 50 requests a second, bursts of 100.
REQUESTS_PER_SECOND = 50.0
REQUEST_BURST = 100.0
# Requests that a connection may send although it was told to wait, before it is closed (4429). They are
# answered, so that a client that misjudged its pace learns when to go on; one that does not listen ends here.
PATIENCE = 300.0


class Bucket:
    """A token bucket: `rate` a second, at most `burst` at once. Times are seconds of any one clock."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def take(self, now: float) -> float:
        """Take one. Answers 0, or the seconds until there is one again; then nothing was taken."""
        # A wall clock may step back; that must not take away what was earned.
        elapsed = max(0.0, now - self._at)
        self._level = min(self._burst, self._level + elapsed * self._rate)
        self._at = now
        if self._level < 1.0:
            return (1.0 - self._level) / self._rate
        self._level -= 1.0
        return 0.0
