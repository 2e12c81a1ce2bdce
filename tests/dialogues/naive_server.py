"""A NaïveProxy server in a few lines: a tunnel to an echo service, the first eight pieces of each side padded."""

import struct

import h2.config
import h2.connection
import h2.events

from probe.protocols.proxies.naive import pad

_PADDED = 8


class PaddedEcho:
    """Hand it to `play_stream`."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._stream = 0
        self._came = self._due = b""
        self._padded_in = self._padded_out = _PADDED

    def __call__(self, sent: bytes) -> bytes:
        for event in self._connection.receive_data(sent):
            if isinstance(event, h2.events.RequestReceived):
                self._stream = event.stream_id
                self._connection.send_headers(self._stream, [(":status", "200"), ("padding", "!!!!")])
            elif isinstance(event, h2.events.DataReceived):
                self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._came += event.data
        self._echo(self._take())
        while self._due and (room := self._connection.local_flow_control_window(self._stream)) > 0:
            size = min(room, self._connection.max_outbound_frame_size)
            self._connection.send_data(self._stream, self._due[:size])
            self._due = self._due[size:]
        return self._connection.data_to_send()

    def _take(self) -> list[bytes]:
        pieces: list[bytes] = []
        while self._padded_in and len(self._came) >= 3:
            size, padding = struct.unpack_from("!HB", self._came)
            if len(self._came) < 3 + size + padding:
                return pieces
            pieces.append(self._came[3 : 3 + size])
            self._came = self._came[3 + size + padding :]
            self._padded_in -= 1
        if not self._padded_in and self._came:
            pieces.append(self._came)
            self._came = b""
        return pieces

    def _echo(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._due += pad(piece, 7) if self._padded_out else piece
            self._padded_out = max(0, self._padded_out - 1)
