"""The world's servers that are not plain web: HTTP/3, stand-ins for tunnels, sites that shun us; and their proofs."""

import asyncio
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.lab.censor.payloads import is_fully_encrypted
from probe.lab.censor.signatures import Signature
from probe.lab.proofs.first_packets import build_ike_init, build_openvpn_reset, build_wireguard_initiation
from probe.lab.proofs.packets import LIKE_NOISE, try_packets
from probe.lab.proofs.quic import greet_quic
from probe.lab.scenarios.model import GreetQuic, Negotiate, Outcome, Speak
from probe.lab.world.atlas import build_world
from probe.lab.world.certificates import Authority
from probe.lab.world.h3 import open_h3
from probe.lab.world.plan import Certificate, HangUp, Page, Redirect, Service, Site
from probe.lab.world.secure import Keyring
from probe.lab.world.tunnels import StandIn, answer_first
from probe.lab.world.web import choose_answer

NAME = "www.news.example"
OPENVPN = build_openvpn_reset(b"sessions")


@pytest.fixture
def keyring(tmp_path):
    trusted = Authority("Root", tmp_path)
    (tmp_path / "roots.pem").write_bytes(trusted.pem)
    return Keyring(trusted, Authority("Another", tmp_path))


async def greet(keyring, tmp_path, *, site=None, server_name=NAME):
    site = site or Site(names=(NAME,), addresses=("127.0.0.1",), h3_ports=(443,))
    end = await open_h3("127.0.0.1", 0, (site,), keyring, 0.0)
    port = end._transport.get_extra_info("sockname")[1]
    try:
        greeting = GreetQuic(address="127.0.0.1", server_name=server_name, port=port)
        met = await asyncio.to_thread(greet_quic, greeting, str(tmp_path / "roots.pem"), 30.0)
        return met, await asyncio.to_thread(try_packets, Negotiate(address="127.0.0.1", port=port))
    finally:
        end.close()


async def test_a_site_is_served_over_http_3_and_tells_its_versions(keyring, tmp_path):
    for met in await greet(keyring, tmp_path):
        assert (met.outcome, met.wrong) == (Outcome.OK, "")


async def test_the_wrong_name_and_the_wrong_authority_are_met(keyring, tmp_path):
    met, _ = await greet(keyring, tmp_path, server_name="www.other.example")
    assert met.outcome is Outcome.BAD_CERTIFICATE
    site = Site(names=(NAME,), addresses=("127.0.0.1",), certificate=Certificate.UNKNOWN_AUTHORITY)
    met, _ = await greet(keyring, tmp_path, site=site)
    assert met.outcome is Outcome.BAD_CERTIFICATE


@pytest.mark.parametrize(
    ("answer", "outcome"), [(Redirect(location="https://a.example/"), Outcome.OK), (HangUp(), Outcome.ALERT)]
)
async def test_a_site_answers_over_http_3_as_it_does_over_tls(keyring, tmp_path, answer, outcome):
    site = Site(names=(NAME,), addresses=("127.0.0.1",), answer=answer)
    met, _ = await greet(keyring, tmp_path, site=site)
    assert met.outcome is outcome


async def test_nobody_at_a_quic_port_is_silence_or_an_error():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(try_packets, Negotiate(address="127.0.0.1", port=deaf.getsockname()[1]))


def test_a_path_has_its_own_answer_and_port_80_may_have_another():
    site = Site(names=(NAME,), addresses=(), paths={"/go": HangUp()}, cleartext=Page(status=404))
    assert choose_answer(site, "/go/on", secure=True) == HangUp()
    assert choose_answer(site, "/", secure=True) == Page()
    assert choose_answer(site, "/", secure=False) == Page(status=404)


def test_openvpn_gets_the_servers_reset_that_names_our_session():
    plain = answer_first(Service(port=1194, speaks=Signature.OPENVPN), OPENVPN)
    assert (len(plain), plain[0], plain[14:22]) == (26, 0x40, b"sessions")
    framed = struct.pack("!H", len(OPENVPN)) + OPENVPN
    over_tcp = answer_first(Service(port=1194, speaks=Signature.OPENVPN, over_tcp=True), framed)
    assert over_tcp == b"\0\x1a" + plain


def test_wireguard_gets_a_response_for_its_index():
    answer = answer_first(
        Service(port=51820, speaks=Signature.WIREGUARD), build_wireguard_initiation(bytes(range(144)))
    )
    assert (len(answer), answer[:4], answer[8:12]) == (92, b"\x02\0\0\0", bytes(range(4)))


def test_ike_gets_a_notification_of_its_exchange():
    answer = answer_first(Service(port=500, speaks=Signature.IKEV2), build_ike_init(b"initiatr"))
    assert (len(answer), answer[:8], answer[18], answer[19]) == (38, b"initiatr", 34, 0x20)
    assert struct.unpack_from("!I", answer, 24)[0] == 38


@given(st.sampled_from(Signature), st.binary(max_size=200), st.booleans())
def test_other_first_bytes_get_no_answer_of_a_tunnel(signature, data, over_tcp):
    answer = answer_first(Service(port=1, speaks=signature, over_tcp=over_tcp), data)
    assert answer is None or len(answer) in (26, 28, 38, 92)
    assert answer_first(Service(port=1), data) == data


async def test_a_stand_in_over_udp_talks_on_only_with_who_began_properly():
    loop = asyncio.get_running_loop()
    service = Service(port=1, speaks=Signature.WIREGUARD)
    transport, _ = await loop.create_datagram_endpoint(lambda: StandIn(service), local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        began = Speak(address="127.0.0.1", port=port, signature=Signature.WIREGUARD, data_packets=2, answers=3)
        met = await asyncio.to_thread(try_packets, began)
        assert (met.outcome, met.wrong) == (Outcome.OK, "")
        noise = await asyncio.to_thread(try_packets, Speak(address="127.0.0.1", port=port, answers=0))
        assert (noise.outcome, noise.wrong) == (Outcome.SILENCE, "")
    finally:
        transport.close()


async def test_a_stand_in_over_tcp_talks_on_and_closes_on_strangers():
    server = await asyncio.start_server(
        StandIn(Service(port=1, speaks=Signature.OPENVPN, over_tcp=True)).serve, "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    for signature, outcome, answers in ((Signature.OPENVPN, Outcome.OK, 3), (None, Outcome.END, 0)):
        trial = Speak(
            address="127.0.0.1", port=port, signature=signature, over_tcp=True, data_packets=2, answers=answers
        )
        met = await asyncio.to_thread(try_packets, trial)
        assert (met.outcome, met.wrong) == (outcome, "")
    server.close()


async def test_a_proof_counts_answers():
    server = await asyncio.start_server(StandIn(Service(port=1, over_tcp=True)).serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    met = await asyncio.to_thread(
        try_packets, Speak(address="127.0.0.1", port=port, over_tcp=True, text="hello", answers=5)
    )
    assert met.wrong == "1 answers came"
    server.close()


def test_the_noise_of_the_proofs_looks_fully_encrypted():
    assert is_fully_encrypted(LIKE_NOISE)


def test_a_site_that_shuns_us_is_up_and_out_of_our_reach():
    world = build_world(0).change("news", shuns_client=True)
    assert world.sites["news"].is_up
    assert set(world.sites["news"].addresses) <= set(world.empty_addresses)
    assert not set(world.sites["forum"].addresses) & set(world.empty_addresses)
