"""A DTLS server without sockets: OpenSSL by way of pyOpenSSL, for dialogues that are played."""

import contextlib
from pathlib import Path

from OpenSSL import SSL

from probe.protocols.dialogue import Send
from tests.dialogues.quic_server import Authority


class DTLSServer:
    """Hand `serve` to `play`; a flight of several datagrams comes out one at a time."""

    def __init__(self, authority: Authority, folder: Path) -> None:
        chain, key = folder / "dtls.crt", folder / "dtls.key"
        authority.pair.cert_chain_pems[0].write_to_path(chain)
        authority.pair.private_key_pem.write_to_path(key)
        context = SSL.Context(SSL.DTLS_SERVER_METHOD)
        context.use_certificate_file(str(chain))
        context.use_privatekey_file(str(key))
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()
        self._connection.set_ciphertext_mtu(1200)
        self._heard = 0
        self._waiting: list[bytes] = []

    def serve(self, sent: list[Send]) -> bytes | None:
        for one in sent[self._heard :]:
            self._connection.bio_write(one.data)
            with contextlib.suppress(SSL.WantReadError, SSL.Error):
                self._connection.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                self._waiting.append(self._connection.bio_read(65536))
        self._heard = len(sent)
        return self._waiting.pop(0) if self._waiting else None
