"""DTLS-SRTP by OpenSSL without sockets: datagrams in, datagrams and keys out (RFC 5764)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

Profile = Literal[1, 7]
NAMES: dict[Profile, str] = {1: "AES_CM_128_HMAC_SHA1_80", 7: "AEAD_AES_128_GCM"}


@dataclass(frozen=True, slots=True)
class Half:
    """Master key and salt of one direction."""

    key: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    profile: Profile
    local: Half
    remote: Half


class Certificate:
    """Self-signed, for a day."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def context(self, profile: Profile) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(self.certificate)
        context.use_privatekey(self.key)
        # Who the other side is does not matter here.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.set_tlsext_use_srtp(_OPENSSL_NAMES[profile])
        return context


class Handshake:
    """One association until its keys are known."""

    def __init__(self, context: SSL.Context, *, client: bool) -> None:
        self._connection = SSL.Connection(context, None)
        self._connection.set_ciphertext_mtu(1200)
        self._client = client
        if client:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()

    def receive(self, datagram: bytes | None) -> Keys | None:
        """Take a datagram in (None: begin, or time has passed); the keys once it is done."""
        if datagram is None:
            self._connection.DTLSv1_handle_timeout()
        else:
            self._connection.bio_write(datagram)
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return None
        return self._keys()

    def datagrams(self) -> list[bytes]:
        """What is to be sent now, a record each."""
        try:
            stream = self._connection.bio_read(1 << 16)
        except SSL.WantReadError:
            return []
        records = []
        while stream:
            end = 13 + int.from_bytes(stream[11:13], "big")
            records.append(stream[:end])
            stream = stream[end:]
        return records

    def _keys(self) -> Keys:
        name = self._connection.get_selected_srtp_profile()
        profile = next(profile for profile, openssl in _OPENSSL_NAMES.items() if openssl == name)
        salt = _SALTS[profile]
        exported = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (16 + salt))
        client = Half(exported[:16], exported[32 : 32 + salt])
        server = Half(exported[16:32], exported[32 + salt :])
        return Keys(profile, client, server) if self._client else Keys(profile, server, client)


_OPENSSL_NAMES: dict[Profile, bytes] = {1: b"SRTP_AES128_CM_SHA1_80", 7: b"SRTP_AEAD_AES_128_GCM"}
_SALTS: dict[Profile, int] = {1: 14, 7: 12}
