"""A program under measurement: started, read in /proc, stopped by its id."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

PAGE_BYTES = 4096
STOP_S = 5


class Process:
    """A child that speaks lines over its standard input and output, and ends with the former or by a signal."""

    def __init__(
        self, command: Sequence[str | Path], *, descriptors: Sequence[int] = (), by_signal: bool = False
    ) -> None:
        self._by_signal = by_signal
        self._child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=tuple(descriptors),
            text=True,
            bufsize=1,
        )

    def write(self, line: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def read(self) -> str:
        """The next line. Raises RuntimeError when the program has ended instead."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._child.args!r} ended: {self._child.wait()}")
        return line.strip()

    def cpu_s(self) -> float:
        """Processor time so far over all threads, to the microsecond (utime and stime count in 10 ms)."""
        tasks = Path(f"/proc/{self._child.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def rss_bytes(self) -> int:
        return int(Path(f"/proc/{self._child.pid}/statm").read_text().split()[1]) * PAGE_BYTES

    def close(self) -> None:
        """End its input, then ask, then force."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        if self._child.poll() is None:
            self._child.stdin.close()
        if self._by_signal or not self._ended():
            self._child.terminate()
        if not self._ended():
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()

    def _ended(self) -> bool:
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            return False
        return True
