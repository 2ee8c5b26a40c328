"""TLS on loopback before a plain server, with a certificate of an authority made for the test."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHUNK = 65536


class TlsFront:
    """Listens on loopback, decrypts, and passes on to `port`, which may be changed; `host` is where.

    Args:
        port: of the plain server.
        folder: where the certificates are put.
        listen_port: where to listen; 0 for any.
        names: host names that the certificate is for, besides localhost.
    """

    def __init__(self, port: int, folder: Path, *, listen_port: int = 0, names: Sequence[str] = ()) -> None:
        self.ca_file = folder / "ca.pem"
        chain = folder / "chain.pem"
        write_certificates(self.ca_file, chain, names)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(chain)
        self.port = port
        self._listener = socket.create_server(("127.0.0.1", listen_port))
        self._listener.settimeout(0.1)
        self._stopped = threading.Event()
        self._connections: list[ssl.SSLSocket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def host(self) -> str:
        """Name and port, as an endpoint is given."""
        return f"localhost:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._stopped.set()
        for connection in list(self._connections):  # of a client that keeps it open
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                raw, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(raw,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(5)
        with contextlib.suppress(OSError), self._context.wrap_socket(raw, server_side=True) as near:
            self._connections.append(near)
            while (request := read_message(near)) is not None:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as far:
                    far.sendall(request)
                    answer = read_message(far)
                    if answer is not None:
                        near.sendall(answer)


def read_message(source: socket.socket) -> bytes | None:
    """One HTTP message with a Content-Length; None at the end of the connection."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = source.recv(CHUNK)
        if not part:
            return None
        head += part
    start, _, body = head.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in start.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    missing = (int(lengths[0]) if lengths else 0) - len(body)
    while missing > 0:
        part = source.recv(CHUNK)
        if not part:
            return None
        head += part
        missing -= len(part)
    return head


def write_certificates(ca_file: Path, chain: Path, more_names: Sequence[str] = ()) -> None:
    """An authority, and a certificate of it for localhost and more names together with its key."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority for tests")])
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    day = timedelta(days=1)

    def start(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(subject_name=name, issuer_name=ca_name, public_key=public)
        return builder.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)

    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    authority = (
        start(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = [*map(x509.DNSName, ("localhost", *more_names)), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    own = (
        start(own_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # Without it Python 3.13 and later refuse the certificate.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    ca_file.write_bytes(authority.public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    chain.write_bytes(own.public_bytes(pem) + key.private_bytes(pem, form, serialization.NoEncryption()))
