"""DTLS client as datagrams in, datagrams out: OpenSSL by way of pyOpenSSL, because `ssl` has no DTLS.

Source: RFC 6347 sections 4.1 (records), 4.2.1 (cookies), 4.2.4 (timers). The chain is looked at when the handshake is
complete, so that it is known also of a peer that is not trusted.
"""

from OpenSSL import SSL, crypto

from probe.model.errors import ProtocolError

_RECORD_HEAD_BYTES = 13
_MTU_BYTES = 1200
_READ_BYTES = 65536
_HANDSHAKE, _ALERT = 22, 21
_VERSIONS = (0xFEFF, 0xFEFD, 0xFEFC)
_SERVER_HELLO, _HELLO_VERIFY = 2, 3


class DTLSEngine:
    """One connection. Feed what comes, send what `flush` returns, call `fire` when the timer is due."""

    def __init__(self, server_name: str) -> None:
        """Prepare a client; an empty server name is not sent."""
        context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_NONE)
        self._connection = SSL.Connection(context, None)
        if server_name:
            self._connection.set_tlsext_host_name(server_name.encode("idna"))
        self._connection.set_connect_state()
        self._connection.set_ciphertext_mtu(_MTU_BYTES)
        self.done = False
        self._advance()

    def feed(self, datagram: bytes) -> None:
        """Take a datagram from the wire.

        Raises:
            ProtocolError: an alert came, or what OpenSSL takes for a fault.
        """
        self._connection.bio_write(datagram)
        self._advance()

    def flush(self) -> list[bytes]:
        """Return the datagrams that are to be sent now."""
        try:
            data = self._connection.bio_read(_READ_BYTES)
        except SSL.WantReadError:
            return []
        datagrams: list[bytes] = []
        for record in split_records(data):
            if datagrams and len(datagrams[-1]) + len(record) <= _MTU_BYTES:
                datagrams[-1] += record
            else:
                datagrams.append(record)
        return datagrams

    def timer(self) -> float | None:
        """Return the seconds until `fire` is due; `None` = nothing is waited for."""
        due_s: float | None = self._connection.DTLSv1_get_timeout()
        return due_s

    def fire(self) -> None:
        """Do what the timer asks for: send the last flight again."""
        self._connection.DTLSv1_handle_timeout()

    @property
    def version(self) -> str:
        """Return the protocol version agreed upon."""
        return self._connection.get_protocol_version_name()

    @property
    def cipher(self) -> str:
        """Return the cipher suite's OpenSSL name; empty before it is agreed upon."""
        return self._connection.get_cipher_name() or ""

    def read_chain(self) -> tuple[bytes, ...]:
        """Return the certificates the peer sent, leaf first, as DER."""
        chain = self._connection.get_peer_cert_chain() or ()
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in chain)

    def _advance(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
            said = next((str(one[-1]) for one in reasons), "fault")
            raise ProtocolError(f"the DTLS handshake fails: {said[:80]}") from None
        self.done = True


def split_records(data: bytes) -> list[bytes]:
    """Return the records of what OpenSSL wrote; it writes whole ones."""
    records: list[bytes] = []
    at = 0
    while at + _RECORD_HEAD_BYTES <= len(data):
        end = at + _RECORD_HEAD_BYTES + int.from_bytes(data[at + 11 : at + 13], "big")
        records.append(data[at:end])
        at = end
    return records


def is_hello(datagram: bytes) -> bool:
    """Tell whether a server's datagram begins with its first message: a request for the cookie, or its hello.

    Raises:
        ProtocolError: it is no DTLS.
    """
    if len(datagram) <= _RECORD_HEAD_BYTES or datagram[0] not in (_HANDSHAKE, _ALERT):
        raise ProtocolError(f"no DTLS handshake: {datagram[:16].hex()}")
    if int.from_bytes(datagram[1:3], "big") not in _VERSIONS:
        raise ProtocolError(f"no DTLS version: {datagram[:16].hex()}")
    return datagram[0] == _HANDSHAKE and datagram[_RECORD_HEAD_BYTES] in (_SERVER_HELLO, _HELLO_VERIFY)
