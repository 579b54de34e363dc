"""One client of a server: its socket, its ICE checks and its DTLS handshake, blocking."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from aioice import stun

from benchmarks.forwarding.dtls import Certificate, Handshake, Keys, Profile

TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Remote:
    """A server's end for one client: where it listens and its ICE credentials."""

    address: tuple[str, int]
    ufrag: str
    pwd: str


class Client:
    """A bound socket with ICE credentials of its own; `connect` joins it to a server."""

    UFRAG, PWD = "benchufrag", "benchmark-password-24-ch"

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.check = b""
        """The check that selected the path, to be repeated for consent."""

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()
        return host, port

    def connect(self, remote: Remote, certificate: Certificate, profile: Profile) -> Keys:
        """Check, nominate and shake hands as the DTLS client. Raises TimeoutError."""
        self.socket.connect(remote.address)
        self.socket.settimeout(0.1)
        self._check(remote)
        return self._handshake(Handshake(certificate.context(profile), client=True))

    def send_checks_of(self, remote: Remote) -> None:
        self.check = self._request(remote)

    def close(self) -> None:
        self.socket.close()

    def _request(self, remote: Remote) -> bytes:
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{remote.ufrag}:{self.UFRAG}"
        request.attributes["PRIORITY"] = 1853824767
        request.attributes["ICE-CONTROLLING"] = 1
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(remote.pwd.encode())
        request.add_fingerprint()
        return bytes(request)

    def _check(self, remote: Remote) -> None:
        self.send_checks_of(remote)
        for _ in self._until_timeout("a check was not answered"):
            self.socket.send(self.check)
            answer = self._receive()
            if answer is not None and answer[:2] == b"\x01\x01":
                return

    def _handshake(self, handshake: Handshake) -> Keys:
        datagram = None
        for _ in self._until_timeout("the handshake did not end"):
            keys = handshake.receive(datagram)
            for out in handshake.datagrams():
                self.socket.send(out)
            if keys is not None:
                return keys
            datagram = self._receive()
            if datagram is not None and not 20 <= datagram[0] <= 63:
                self._answer(datagram)
                datagram = None
        raise AssertionError("unreachable: the loop returns or raises")

    def _answer(self, datagram: bytes) -> None:
        """Janus checks the other way too, ICE-lite or not."""
        if datagram[:2] != b"\x00\x01":
            return
        request = stun.parse_message(datagram)
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = self.socket.getpeername()
        answer.add_message_integrity(self.PWD.encode())
        answer.add_fingerprint()
        self.socket.send(bytes(answer))

    def _receive(self) -> bytes | None:
        try:
            return self.socket.recv(2048)
        except (TimeoutError, ConnectionRefusedError):
            return None

    @staticmethod
    def _until_timeout(what: str) -> Iterator[None]:
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            yield
        raise TimeoutError(what)
