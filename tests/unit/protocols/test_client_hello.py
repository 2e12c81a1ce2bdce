"""Hellos by hand: their sizes, where they are cut, and that a real TLS server answers each."""

import os
import ssl

import pytest
import trustme

from probe.lab.censor.hello import parse_hello
from probe.model.experiment import HelloShape
from probe.protocols.tls.client_hello import EchConfig, build_hello

NAME = "www.example.org"
SHAPES = [shape for shape in HelloShape if shape not in (HelloShape.STOCK, HelloShape.ECH)]
CONFIG = EchConfig(public_name="outer.example", config_id=3, kdf=1, aead=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_server_answers_with_its_hello(shape):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(NAME).configure_cert(context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    for segment in build_hello(shape, NAME, os.urandom).segments:
        incoming.write(segment)
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    assert outgoing.read()[:1] == b"\x16"


@pytest.mark.parametrize("shape", SHAPES)
def test_the_name_is_in_it_unless_the_shape_hides_it(shape):
    seen = parse_hello(b"".join(build_hello(shape, NAME, os.urandom).segments))
    assert seen is not None
    assert seen.server_name == ("" if shape in (HelloShape.NO_NAME, HelloShape.ESNI) else NAME)
    assert len(set(seen.extensions)) == len(seen.extensions)


def test_a_browsers_needs_two_segments_and_a_small_one_does_not():
    assert build_hello(HelloShape.BROWSER, NAME, os.urandom).size >= 1700
    assert (
        build_hello(HelloShape.NO_ECH, NAME, os.urandom).size == build_hello(HelloShape.BROWSER, NAME, os.urandom).size
    )
    assert build_hello(HelloShape.SMALL, NAME, os.urandom).size <= 600


def test_a_split_cuts_the_name():
    for piece in build_hello(HelloShape.SEGMENTS, NAME, os.urandom).segments:
        assert NAME.encode() not in piece
    assert NAME.encode() not in build_hello(HelloShape.RECORDS, NAME, os.urandom).segments[0]


def test_with_ech_the_name_outside_is_the_public_one():
    hello = build_hello(HelloShape.ECH, NAME, os.urandom, ech=CONFIG)
    assert hello.server_name == "outer.example"
    assert NAME.encode() not in hello.segments[0]
    with pytest.raises(ValueError, match="by hand"):
        build_hello(HelloShape.ECH, NAME, os.urandom)
