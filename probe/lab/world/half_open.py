"""What an impatient client did before: `python -m … ADDRESS PORT` begins IKE associations one after the other.

It stops once the responder has fallen silent, as strongSwan does to an address that has left five of them half open.
Source: RFC 7296 section 2.6; strongSwan's `block_threshold`.
"""

import contextlib
import os
import socket
import sys

from probe.protocols.dialogue import Ask, Receive, Send
from probe.protocols.ike import v2
from probe.protocols.ike.messages import IKE_AUTH

_WAIT_S = 1.0
_MOST = 40
_EXCHANGE = 4 + 18
"""Where a message says which exchange it is of, behind the marker (RFC 3948 section 2.2)."""


def begin(address: str, port: int) -> bool:
    """Go on with one association until it would have to be finished; false = nothing came back."""
    ask = Ask(
        entropy=os.urandom, address=address, host=address, port=port, params={"natt": "1"}, secrets={"psk": b"nobody's"}
    )
    with (
        contextlib.closing(v2.start(ask)) as dialogue,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel,
    ):
        channel.settimeout(_WAIT_S)
        channel.connect((address, port))
        resume: bytes | None = None
        while True:
            event = dialogue.send(resume)
            resume = None
            if isinstance(event, Send):
                if event.data[_EXCHANGE] == IKE_AUTH:
                    return True
                channel.send(event.data)
            elif isinstance(event, Receive):
                try:
                    resume = channel.recv(65536)
                except (TimeoutError, ConnectionRefusedError):
                    return False


def exhaust(address: str, port: int) -> bool:
    """Begin associations until the responder says no more; false if it never fell silent, or never spoke."""
    begun = 0
    while begun < _MOST and begin(address, port):
        begun += 1
    return 0 < begun < _MOST


if __name__ == "__main__":
    sys.exit(0 if exhaust(sys.argv[1], int(sys.argv[2])) else 1)
