"""TLS servers on loopback: real ones in threads, and scripted ones that answer with given bytes."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dh

from tests.policy.cert_chains import Issued

Handle = Callable[[socket.socket], None]
LINGER_RESET = struct.pack("ii", 1, 0)


@contextlib.contextmanager
def serve(address: str, handle: Handle) -> Iterator[int]:
    """Run `handle` for every connection, in a thread each; yields the port. What it raises is the client's doing."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                self.request.settimeout(10)
                handle(self.request)

    class Server(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    with Server((address, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def write_pem(folder: Path, chain: list[Issued]) -> tuple[Path, Path]:
    """Chain and key as files."""
    chain_path, key_path = folder / "chain.pem", folder / "key.pem"
    chain_path.write_text("".join(one.pem for one in chain))
    key_path.write_bytes(
        chain[0].key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain_path, key_path


def openssl_context(
    folder: Path,
    chain: list[Issued] | None,
    *,
    lowest: str = "TLSv1_2",
    highest: str = "TLSv1_3",
    ciphers: str = "DEFAULT",
) -> ssl.SSLContext:
    """A server's context at security level 0, so that it can be as weak as the test wants."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion[lowest]
        context.maximum_version = ssl.TLSVersion[highest]
    if chain:
        context.load_cert_chain(*write_pem(folder, chain))
    return context


def write_dh_group(folder: Path, group: tuple[int, int]) -> Path:
    """A Diffie-Hellman group (generator, prime) as a file."""
    path = folder / "dh.pem"
    parameters = dh.DHParameterNumbers(group[1], group[0]).parameters()
    path.write_bytes(parameters.parameter_bytes(serialization.Encoding.PEM, serialization.ParameterFormat.PKCS3))
    return path


def speak_tls(context: ssl.SSLContext) -> Handle:
    """Shake hands, read a little, close."""

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as session:
            session.recv(4096)

    return handle


def after_hello(action: Callable[[socket.socket, bytes], Any]) -> Handle:
    """Read what the client says first, then do something."""

    def handle(connection: socket.socket) -> None:
        action(connection, connection.recv(4096))

    return handle


def reset(connection: socket.socket, hello: bytes = b"") -> None:
    """End the connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
    connection.close()


def hold(connection: socket.socket, hello: bytes = b"") -> None:
    """Say nothing until the client goes away."""
    while connection.recv(4096):
        pass


def offered_version(hello: bytes) -> int:
    """The version that a hello offers: 2 for SSL 2.0, the legacy field of the handshake otherwise."""
    return 2 if hello[0] & 0x80 else int.from_bytes(hello[9:11], "big")


def peek_hello(connection: socket.socket) -> bytes:
    """The beginning of the hello, left in the buffer for whoever reads it next."""
    return connection.recv(64, socket.MSG_PEEK)
