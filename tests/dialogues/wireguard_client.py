"""Keys, a shape and a beginning of WireGuard that tests share."""

import base64

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask
from tests.dialogues import fixed_entropy
from tests.dialogues.wireguard_server import Responder, public

SERVER, CLIENT, PSK = bytes(range(1, 33)), bytes(range(60, 92)), bytes(range(100, 132))
NOW_NS = 1_790_000_000_123_456_789
HANDSHAKE = [Depth.HELLO, Depth.PROOF, Depth.AUTH]
AMNEZIA = {"jc": "3", "jmin": "10", "jmax": "50", "s1": "15", "s2": "20", "s3": "5", "s4": "7"} | {
    "h1": "1000001", "h2": "2000002", "h3": "3000003", "h4": "4000004",
}  # fmt: skip
WORDS = (1000001, 2000002, 3000003, 4000004)


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def ask(*, deepest: Depth = Depth.PROOF, psk: bytes = b"", **params: str) -> Ask:
    return Ask(
        entropy=fixed_entropy(),
        params={"public_key": text(public(SERVER)), "address": "10.0.0.2/24"} | params,
        secrets={"private_key": text(CLIENT).encode()} | ({"preshared_key": text(psk).encode()} if psk else {}),
        stamps=NOW_NS,
        deepest=deepest,
    )


def responder(psk: bytes = bytes(32), words: tuple[int, ...] = (1, 2, 3, 4)) -> Responder:
    return Responder(SERVER, public(CLIENT), psk, words)
