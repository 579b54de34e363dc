"""Janus (Debian package `janus`) with its VideoRoom, steered over a WebSocket."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.forwarding.client import TIMEOUT_S, Client, Remote
from benchmarks.forwarding.dtls import Certificate, Profile
from benchmarks.forwarding.load import Flow
from benchmarks.forwarding.process import Process
from benchmarks.forwarding.server import HOST, PAYLOAD_TYPE, SSRC, Room

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/janus")
ROOM = 1234
API_PORT = 8188


class Janus:
    """`event_loops` threads serve all peers, which is its best setting; None: a thread for each peer."""

    def __init__(self, event_loops: int | None = 2) -> None:
        self.name = "janus" if event_loops is not None else "janus, default threads"
        self._folder = Path(tempfile.mkdtemp(prefix="hubbub-janus-"))
        self._certificate = Certificate()
        _write_configuration(self._folder, event_loops)
        self.process = Process(
            ["/usr/bin/janus", "-F", self._folder, "-C", self._folder / "janus.jcfg", "-N"], by_signal=True
        )
        try:
            self._api = _Api()
        except ConnectionRefusedError:
            self.process.close()
            raise

    def fill(self, receivers: int, profile: Profile) -> Room:
        handle = self._api.attach()
        self._api.message(
            handle, {"request": "create", "room": ROOM, **_ROOM_OPTIONS}, "videoroom", "created"
        )
        publisher, feed = self._publish(handle, profile)
        flows = [self._subscribe(feed, profile) for _ in range(receivers)]
        return Room(publisher, SSRC, flows)

    def close(self) -> None:
        self._api.close()
        self.process.close()
        shutil.rmtree(self._folder)

    def _publish(self, handle: int, profile: Profile) -> tuple[Flow, int]:
        join = {"request": "join", "ptype": "publisher", "room": ROOM}
        feed = self._api.message(handle, join, "videoroom", "joined")["plugindata"]["data"]["id"]
        client = Client(HOST)
        jsep = {"type": "offer", "sdp": _description(client, self._certificate, "sendonly", SSRC)}
        answer = self._api.message(handle, {"request": "publish"}, "configured", "ok", jsep)
        keys = client.connect(_remote(answer["jsep"]["sdp"]), self._certificate, profile)
        self._api.wait_for("webrtcup", handle)
        return Flow(client, keys.profile, keys.local, PAYLOAD_TYPE), feed

    def _subscribe(self, feed: int, profile: Profile) -> Flow:
        handle = self._api.attach()
        join = {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": [{"feed": feed}]}
        offer = self._api.message(handle, join, "videoroom", "attached")
        client = Client(HOST)
        jsep = {"type": "answer", "sdp": _description(client, self._certificate, "recvonly", None)}
        self._api.message(handle, {"request": "start"}, "started", "ok", jsep)
        keys = client.connect(_remote(offer["jsep"]["sdp"]), self._certificate, profile)
        self._api.wait_for("webrtcup", handle)
        return Flow(client, keys.profile, keys.remote, PAYLOAD_TYPE)


class _Api:
    """Requests and events, a message each."""

    def __init__(self) -> None:
        self._socket = _connect()
        self._numbers = itertools.count(1)
        self._unread: list[dict[str, Any]] = []
        self._session = self._request({"janus": "create"})["data"]["id"]

    def attach(self) -> int:
        """A handle of the VideoRoom."""
        made = self._request({"janus": "attach", "plugin": "janus.plugin.videoroom", **self._of_session()})
        return int(made["data"]["id"])

    def message(
        self, handle: int, body: dict[str, Any], key: str, value: str, jsep: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Send to the plugin; its answer, in whose data `key` is `value`. Raises RuntimeError at an error."""
        sent = {"janus": "message", "body": body, "handle_id": handle, **self._of_session()}
        transaction = self._send(sent | ({"jsep": jsep} if jsep else {}))
        while True:
            answer = self._next(lambda read: read.get("transaction") == transaction)
            if answer["janus"] == "ack":
                continue
            data = answer.get("plugindata", {}).get("data", {})
            if data.get(key) != value:
                raise RuntimeError(f"Janus answered {answer}")
            return answer

    def wait_for(self, kind: str, handle: int) -> None:
        self._next(lambda read: read["janus"] == kind and read.get("sender") == handle)

    def close(self) -> None:
        self._socket.close()

    def _of_session(self) -> dict[str, int]:
        return {"session_id": self._session}

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        transaction = self._send(request)
        answer = self._next(lambda read: read.get("transaction") == transaction)
        if answer["janus"] != "success":
            raise RuntimeError(f"Janus answered {answer}")
        return answer

    def _send(self, request: dict[str, Any]) -> str:
        transaction = str(next(self._numbers))
        self._socket.send(json.dumps(request | {"transaction": transaction}))
        return transaction

    def _next(self, wanted: Any) -> dict[str, Any]:
        for index, read in enumerate(self._unread):
            if wanted(read):
                return self._unread.pop(index)
        while True:
            read = json.loads(self._socket.recv(TIMEOUT_S))
            if wanted(read):
                return read  # type: ignore[no-any-return]  # Janus sends objects
            self._unread.append(read)


def _connect() -> ClientConnection:
    """Raises ConnectionRefusedError when nobody listens in time."""
    end = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return connect(f"ws://127.0.0.1:{API_PORT}", subprotocols=[Subprotocol("janus-protocol")])
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _remote(sdp: str) -> Remote:
    """Janus' side: its first UDP candidate and its credentials."""
    candidate = re.search(r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) ", sdp, re.MULTILINE)
    ufrag = re.search(r"^a=ice-ufrag:(\S+)", sdp, re.MULTILINE)
    pwd = re.search(r"^a=ice-pwd:(\S+)", sdp, re.MULTILINE)
    if candidate is None or ufrag is None or pwd is None:
        raise RuntimeError(f"no candidate in {sdp}")
    return Remote((candidate[1], int(candidate[2])), ufrag[1], pwd[1])


def _description(client: Client, certificate: Certificate, direction: str, ssrc: int | None) -> str:
    host, port = client.address
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        f"m=video 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE}",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        f"a={direction}",
        f"a=ice-ufrag:{Client.UFRAG}",
        f"a=ice-pwd:{Client.PWD}",
        f"a=fingerprint:sha-256 {certificate.fingerprint}",
        "a=setup:active",
        "a=rtcp-mux",
        f"a=rtpmap:{PAYLOAD_TYPE} VP8/90000",
        f"a=rtcp-fb:{PAYLOAD_TYPE} nack",
        f"a=rtcp-fb:{PAYLOAD_TYPE} nack pli",
        f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
        "a=end-of-candidates",
    ]
    if ssrc is not None:
        lines.append(f"a=ssrc:{ssrc} cname:benchmark")
    return "\r\n".join([*lines, ""])


def _write_configuration(folder: Path, event_loops: int | None) -> None:
    """Only the plugin and the transport that are used, no restriction on bitrate, ICE-lite as hubbub is."""
    for kind, library in (("plugins", "libjanus_videoroom.so"), ("transports", "libjanus_websockets.so")):
        (folder / kind).mkdir()
        (folder / kind / library).symlink_to(LIBRARY / kind / library)
    for kind in ("events", "loggers"):
        (folder / kind).mkdir()
    loops = f"event_loops = {event_loops}" if event_loops is not None else ""
    (folder / "janus.jcfg").write_text(f"""
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{folder}/plugins"
  transports_folder = "{folder}/transports"
  events_folder = "{folder}/events"
  loggers_folder = "{folder}/loggers"
  log_to_stdout = false
  debug_level = 2
  session_timeout = 0
  {loops}
}}
nat: {{ ice_lite = true, ice_tcp = false, full_trickle = false, ice_enforce_list = "{HOST}" }}
media: {{ ipv6 = false, rtp_port_range = "20000-40000" }}
""")
    (folder / "janus.transport.websockets.jcfg").write_text(f"""
general: {{ json = "compact", ws = true, ws_port = {API_PORT}, ws_ip = "127.0.0.1", wss = false }}
admin: {{ admin_ws = false }}
""")
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: {}\n")


_ROOM_OPTIONS: dict[str, Any] = {
    "publishers": 2,
    "bitrate": 0,
    "videocodec": "vp8",
    "audiolevel_ext": False,
    "videoorient_ext": False,
    "playoutdelay_ext": False,
    "transport_wide_cc_ext": False,
}
