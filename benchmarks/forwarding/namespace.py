"""A network namespace of the benchmark's own: no packet leaves it, and it ends with its last process."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.forwarding.server import HOST

INSIDE = "HUBBUB_BENCHMARK_NAMESPACE"


def enter() -> None:
    """Start this program anew inside, once. Without root a user namespace gives the right to do so."""
    if os.environ.get(INSIDE):
        _add_address()
        return
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    program = [sys.executable, "-m", "benchmarks.forward", *sys.argv[1:]]
    command = ["unshare", "--net", *rights, "--", *program]
    os.execvpe(command[0], command, os.environ | {INSIDE: "1"})


def _add_address() -> None:
    """An address on an interface that is not loopback; its traffic takes the loopback's way all the same."""
    for words in (
        "link set lo up",
        "link add bench0 type veth peer name bench1",
        f"addr add {HOST}/24 dev bench0",
        "link set bench0 up",
        "link set bench1 up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
