"""SSH against a server of a few lines, data types of the RFC, and any bytes."""

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused
from probe.protocols.ssh import dialogue
from probe.protocols.ssh.exchange import Offer, build_kexinit, parse_kexinit, print_key, verify_signature
from probe.protocols.ssh.packets import Wire, put_mpint, put_string
from tests.dialogues import fixed_entropy
from tests.dialogues.hardship import GARBAGE, bear_a_stream, play_stream, serve_in_turn, survive

BANNER = b"welcome\r\nSSH-2.0-test_1.0\r\n"
HOST_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
BLOB = put_string(b"ssh-ed25519") + put_string(HOST_KEY.public_key().public_bytes_raw())


def pack(payload: bytes) -> bytes:
    return Wire(None, bytes).pack(payload).data


def begin(**given):
    return dialogue.start(Ask(entropy=fixed_entropy(), **given))


def test_a_stranger_stops_at_the_offers_and_says_goodbye() -> None:
    played = play_stream(begin(), serve_in_turn(BANNER + pack(build_kexinit(bytes(16)))))
    assert played.reached == [Depth.HELLO]
    assert played.reply.software == "test_1.0"
    assert "ssh-ed25519" in played.reply.host_keys
    assert played.sent[0].data == b"SSH-2.0-OpenSSH_9.6\r\n"
    assert played.sent[-1].data[5] == 1


def test_a_stream_may_be_cut_anywhere() -> None:
    bear_a_stream(begin, lambda: serve_in_turn(BANNER, pack(b"\2" + put_string(b"")) + pack(build_kexinit(bytes(16)))))


def test_a_server_that_disconnects_is_quoted() -> None:
    goodbye = b"\1\0\0\0\x0c" + put_string(b"too many") + put_string(b"")
    with pytest.raises(Refused, match="too many"):
        play_stream(begin(), serve_in_turn(BANNER, pack(goodbye)))


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00000000"), (0x9A378F9B2E332A7, "0000000809a378f9b2e332a7"), (0x80, "000000020080")],
)
def test_numbers_are_written_as_in_rfc_4251_section_5(number: int, encoded: str) -> None:
    assert put_mpint(number).hex() == encoded


def test_only_the_host_keys_own_signature_counts() -> None:
    signature = put_string(b"ssh-ed25519") + put_string(HOST_KEY.sign(b"data"))
    assert verify_signature(BLOB, signature, b"data") == "ssh-ed25519"
    with pytest.raises(ProtocolError, match="not signed"):
        verify_signature(BLOB, signature, b"other")


@given(st.binary(max_size=120), st.binary(max_size=120))
def test_any_bytes_are_no_host_key(blob: bytes, signature: bytes) -> None:
    with pytest.raises(ProtocolError):
        verify_signature(blob, signature, b"data")


@given(st.binary(max_size=300))
def test_any_bytes_are_an_offer_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_kexinit(b"\x14" + data), Offer)


@given(GARBAGE)
def test_garbage_is_no_server(answers: list[bytes | None]) -> None:
    played = survive(begin, answers)
    assert played is None or not played.reached


def test_a_login_goes_only_to_a_server_whose_key_is_given() -> None:
    with pytest.raises(ValueError, match="hostkey"):
        dialogue.parse("ssh://me:secret@host.test")
    printed = print_key(BLOB)
    parsed = dialogue.parse(f"ssh://me:secret@host.test:2222?hostkey={printed}")
    assert parsed.params == {"user": "me", "hostkey": printed}
    assert parsed.secrets == {"password": "secret"}
