"""What a client with a wrong clock did before: `python -m … ADDRESS PORT` shakes hands by a timestamp of a year ahead.

Until then a WireGuard server takes every handshake with that key for a replay, and says nothing.
"""

import os
import socket
import sys
import time

from probe.lab.world.wireguard_keys import CLIENT_KEY, SERVER_KEY, public_of
from probe.protocols.wireguard.noise import Initiation, Keys

_WAIT_S = 2.0
_TRIES = 3
_YEAR_NS = 365 * 86400 * 10**9


def shake_hands_late(address: str, port: int) -> bool:
    """Send initiations from the future until one is answered; false if none was."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(_WAIT_S)
        channel.connect((address, port))
        for _ in range(_TRIES):
            first = Initiation(
                Keys(CLIENT_KEY, public_of(SERVER_KEY)), ephemeral=os.urandom(32), index=os.urandom(4),
                stamp_ns=time.time_ns() + _YEAR_NS, kind=b"\x01\0\0\0",
            )  # fmt: skip
            channel.send(first.build())
            try:
                return bool(channel.recv(65536))
            except TimeoutError:
                continue
    return False


if __name__ == "__main__":
    sys.exit(0 if shake_hands_late(sys.argv[1], int(sys.argv[2])) else 1)
