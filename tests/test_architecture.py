"""The layering of docs/architecture.md, executed: who may import what, and what a file may be called."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CRATE = ROOT / "rtc/dataplane/src"
IO = {"asyncio", "aiohttp", "socket", "threading", "time", "random", "secrets", "subprocess", "sqlite3"}
NAMELESS = re.compile(r"^(utils?|helpers?|managers?|common|misc)$")
# Modules that decide and never act: no loop, no clock, no socket, no randomness of their own.
PURE = [
    "rtc/sdp.py",
    "rtc/negotiation.py",
    "rtc/tracks.py",
    "rtc/subscription.py",
    "signaling/messages.py",
    "signaling/session.py",
    "signaling/room.py",
    "signaling/effects.py",
    "signaling/tokens.py",
    "signaling/errors.py",
    "signaling/outbox.py",
    "signaling/ice_servers.py",
    "signaling/chat.py",
    "signaling/presence.py",
    "signaling/documents/awareness.py",
]


def modules(*roots: str) -> list[Path]:
    paths = [path for root in roots for path in sorted((ROOT / root).rglob("*.py"))]
    return [path for path in paths if "dataplane" not in path.parts]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> set[str]:
    """Full names of everything that a module imports, relative imports resolved."""
    found: set[str] = set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def roots(path: Path) -> set[str]:
    return {module.split(".")[0] for module in imported(path)}


@pytest.mark.parametrize("module", PURE)
def test_modules_that_decide_do_no_io(module: str) -> None:
    assert not roots(ROOT / module) & IO


@pytest.mark.parametrize("path", modules("rtc"), ids=name)
def test_media_knows_nothing_of_signaling(path: Path) -> None:
    assert not roots(path) & {"signaling", "aiohttp"}


@pytest.mark.parametrize("path", modules("rtc", "signaling"), ids=name)
def test_one_python_file_knows_the_compiled_crate(path: Path) -> None:
    knows = any("_dataplane" in module.split(".") for module in imported(path))
    assert not knows or name(path) == "rtc/plane.py"


@pytest.mark.parametrize("path", modules("rtc", "signaling"), ids=name)
def test_aiohttp_and_aiortc_stay_behind_their_doors(path: Path) -> None:
    client = name(path).startswith("signaling/client/")
    if "aiohttp" in roots(path):
        assert client or name(path).startswith("signaling/http/")
    if "aiortc" in roots(path):
        assert client or name(path).startswith("signaling/recording") or name(path) == "rtc/transport.py"


@pytest.mark.parametrize("path", sorted(CRATE.rglob("*.rs")), ids=name)
def test_the_crate_is_sans_io_outside_io(path: Path) -> None:
    text = path.read_text()
    inside_io = path.relative_to(CRATE).parts[0] == "io"
    if path.name != "python.rs" and path.name != "lib.rs":
        assert "pyo3" not in text
    if not inside_io:
        assert not re.search(r"\b(UdpSocket|TcpListener|TcpStream|std::thread|libc::)", text)
        assert not re.search(r"\bunsafe\s*(\{|fn|impl)", text)


@pytest.mark.parametrize("module", ["wire", "codec", "srtp", "core"])
def test_the_compiler_forbids_unsafe_code_outside_io(module: str) -> None:
    assert "#![forbid(unsafe_code)]" in (CRATE / module / "mod.rs").read_text()


def test_no_file_has_a_name_that_says_nothing() -> None:
    sources = [*modules("rtc", "signaling", "tests", "benchmarks"), *CRATE.rglob("*.rs")]
    sources += [
        path for path in (ROOT / "web").rglob("*.ts*") if not {"node_modules", "dist"} & set(path.parts)
    ]
    assert [
        name(path) for path in sources if NAMELESS.match(path.stem) or NAMELESS.match(path.parent.name)
    ] == []
