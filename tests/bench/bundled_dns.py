"""Stands in for Knot where there is none: `python bundled_dns.py ADDRESS NAMES` answers A questions over UDP."""

import socket
import struct
import sys

FLAGS_ANSWER, FLAGS_NO_SUCH_NAME = 0x8580, 0x8583
_QUESTION_AT = 12


def address_of(number: int) -> bytes:
    return bytes((11, 1 + number // 62500, number // 250 % 250, 1 + number % 250))


def build_answer(query: bytes, names: int) -> bytes:
    """Return the reply to a query for `tN.…`; other types get no records."""
    end = query.index(0, _QUESTION_AT) + 5
    length = query[_QUESTION_AT]
    label = query[_QUESTION_AT + 1 : _QUESTION_AT + 1 + length].lower()
    known = label[:1] == b"t" and label[1:].isdigit() and int(label[1:]) < names
    wants_a = known and query[end - 4 : end] == b"\x00\x01\x00\x01"
    flags = FLAGS_ANSWER if known else FLAGS_NO_SUCH_NAME
    head = query[:2] + struct.pack("!5H", flags, 1, int(wants_a), 0, 0) + query[_QUESTION_AT:end]
    if not wants_a:
        return head
    return head + struct.pack("!HHHIH", 0xC00C, 1, 1, 300, 4) + address_of(int(label[1:]))


def main(address: str, names: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 53))
        while True:
            query, sender = sock.recvfrom(1500)
            try:
                answer = build_answer(query, names)
            except (ValueError, IndexError):
                continue
            sock.sendto(answer, sender)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
