"""The reference servers of a control: our own clients understand them, and they serve nobody to hurt a third."""

import asyncio
import dataclasses
import ipaddress
import os
import socket
import ssl
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.control.hello_answers import (
    SHADOWSOCKS_METHOD,
    SHADOWSOCKS_PASSWORD,
    Hello,
    answer_datagram,
    answer_stun,
    open_datagrams,
    open_stream,
    reference_links,
)
from probe.control.hello_ports import HelloPorts
from probe.control.relay_answers import begins_tls
from probe.control.settings import parse_serve_settings
from probe.control.wireguard_answer import Responder
from probe.model.depth import Depth
from probe.model.errors import ProtocolError
from probe.protocols import load_specs
from probe.protocols.dialogue import Ask, Reached, Receive, Send
from probe.protocols.engines.pinned_tls import open_engine
from probe.protocols.inner_echo import ECHO_REPLY, build_echo, name_packet, turn_echo
from probe.targets.tunnel_texts import parse_link
from tests.dialogues import play

ASKS = {
    Hello.OPENVPN: Ask(entropy=os.urandom),
    Hello.IKEV2: Ask(entropy=os.urandom, host="192.0.2.1", address="192.0.2.1", port=500),
    Hello.SHADOWSOCKS: Ask(
        entropy=os.urandom, params={"method": SHADOWSOCKS_METHOD}, secrets={"password": SHADOWSOCKS_PASSWORD}
    ),
}


def hold(name, ask, answer):
    """Hold a conversation; return the stages and what came of it."""
    dialogue = load_specs()[name].start(ask)
    stages, waiting, resume = [], None, None
    while True:
        try:
            event = dialogue.send(resume)
        except StopIteration as end:
            return stages, end.value
        resume = None
        match event:
            case Send():
                waiting = answer(event.data)
            case Receive():
                resume, waiting = waiting, None
            case Reached():
                stages.append(event.depth)


@pytest.mark.parametrize("hello", [Hello.OPENVPN, Hello.IKEV2])
def test_our_client_reaches_the_hello_over_udp(hello):
    stages, reply = hold(hello.value, ASKS[hello], lambda data: answer_datagram(hello, data))
    assert Depth.HELLO in stages
    assert reply is not None


def test_our_client_reaches_the_hello_of_openvpn_over_tcp_whole_and_byte_by_byte():
    ask = Ask(entropy=os.urandom, params={"proto": "tcp"})
    stages, reply = hold("openvpn", ask, open_stream(Hello.OPENVPN))
    assert stages == [Depth.HELLO]
    assert reply is not None

    def slowly(data):
        take = open_stream(Hello.OPENVPN)
        return b"".join(answer for at in range(len(data)) if (answer := take(data[at : at + 1])))

    assert hold("openvpn", ask, slowly)[0] == [Depth.HELLO]


def test_our_client_proves_the_wireguard_reference_with_the_keys_of_its_link():
    (link,) = reference_links(Hello.WIREGUARD, "192.0.2.1", 51820)
    parsed = parse_link(link).parsed
    secrets = {name: value.encode() for name, value in parsed.secrets.items()}
    ask = Ask(
        entropy=os.urandom, params=parsed.params, secrets=secrets, stamps=1_800_000_000 * 10**9, deepest=Depth.PROOF
    )
    stages, reply = hold("wireguard", ask, lambda data: answer_datagram(Hello.WIREGUARD, data))
    assert Depth.PROOF in stages
    assert reply is not None
    stranger = dataclasses.replace(ask, params={**parsed.params, "public_key": "A" * 42 + "E="})
    assert hold("wireguard", stranger, lambda data: answer_datagram(Hello.WIREGUARD, data)) == ([], None)


def test_our_client_gets_an_answer_through_shadowsocks_and_nothing_is_relayed():
    stages, reply = hold("shadowsocks", ASKS[Hello.SHADOWSOCKS], open_stream(Hello.SHADOWSOCKS))
    assert stages[-1] is Depth.DATA
    assert reply.answer == "tls handshake"


def hold_volume(name, ask, answer):
    """Carry a volume; return the stages and what came of it."""
    waiting = []

    def after(sent):
        nonlocal heard
        for one in sent[heard:]:
            waiting.extend(filter(None, [answer(one.data)]))
        heard = len(sent)
        return waiting.pop(0) if waiting else None

    heard = 0
    played = play(load_specs()[name].start(dataclasses.replace(ask, deepest=Depth.VOLUME)), after)
    return played.reached, played.reply


@pytest.mark.parametrize("inner", ["10.0.0.2/24", "fd00::2/64"])
def test_a_volume_goes_through_the_wireguard_reference_and_comes_back(inner):
    (link,) = reference_links(Hello.WIREGUARD, "192.0.2.1", 51820)
    parsed = parse_link(link).parsed
    secrets = {name: value.encode() for name, value in parsed.secrets.items()}
    params = {**parsed.params, "address": inner}
    ask = Ask(entropy=os.urandom, params=params, secrets=secrets, stamps=1_800_000_000 * 10**9)
    stages, reply = hold_volume("wireguard", ask, open_datagrams(Hello.WIREGUARD))
    assert stages[-2:] == [Depth.DATA, Depth.VOLUME]
    assert reply.carried_bytes >= 65536


def test_a_volume_goes_through_the_shadowsocks_reference_and_comes_back():
    (link,) = reference_links(Hello.SHADOWSOCKS, "192.0.2.1", 8388)
    ask = dataclasses.replace(ASKS[Hello.SHADOWSOCKS], params=parse_link(link).parsed.params)
    take = open_stream(Hello.SHADOWSOCKS)
    stages, reply = hold_volume("shadowsocks", ask, take)
    assert stages[-2:] == [Depth.DATA, Depth.VOLUME]
    assert reply.answer == "echo"
    with pytest.raises(ProtocolError):
        take(bytes(200))


@pytest.mark.parametrize("hello", [Hello.TROJAN, Hello.VLESS])
def test_a_volume_goes_through_the_references_in_tls(hello):
    (link,) = reference_links(hello, "192.0.2.1", 8444)
    parsed = parse_link(link).parsed
    secrets = {name: value.encode() for name, value in parsed.secrets.items()}
    assert [type(layer).__name__ for layer in load_specs()[hello.value].choose_stack(parsed.params)] == ["Tcp", "Tls"]
    ask = Ask(entropy=os.urandom, params=parsed.params, secrets=secrets)
    stages, reply = hold_volume(hello.value, ask, open_stream(hello))
    assert stages[-2:] == [Depth.DATA, Depth.VOLUME]
    assert reply.answer == "echo"
    plain = dataclasses.replace(ask, params={**parsed.params, "payload": "tls"})
    assert hold(hello.value, plain, open_stream(hello))[1].answer == "tls handshake"

    def slowly(data):
        return b"".join(filter(None, [take(data[at : at + 1]) for at in range(len(data))]))

    take = open_stream(hello)
    assert hold(hello.value, ask, slowly)[0][-1] is Depth.DATA


@pytest.mark.parametrize("hello", [Hello.TROJAN, Hello.VLESS])
def test_strangers_are_hung_up_on_by_the_references_in_tls(hello):
    for data in (bytes(80), b"GET / HTTP/1.1\r\n\r\n", b"f" * 2000):
        with pytest.raises(ProtocolError):
            open_stream(hello)(data)


def test_what_is_no_echo_gets_nothing_back_through_wireguard():
    source, destination = ipaddress.ip_address("10.0.0.2"), ipaddress.ip_address("10.0.0.1")
    echo = build_echo(source, destination, 7, 1)
    reply = turn_echo(echo + bytes(12))
    assert name_packet(reply, 7) == ECHO_REPLY
    assert len(reply) == len(echo) + 12
    for packet in (
        b"",
        echo[:27],
        reply,
        echo[:9] + b"\x11" + echo[10:],
        b"\x46" + echo[1:],
        echo[:2] + b"\xff\xff" + echo[4:],
    ):
        assert turn_echo(packet) is None


@given(st.binary(max_size=120))
def test_any_packet_inside_is_borne(packet):
    assert turn_echo(packet) is None or len(turn_echo(packet)) == len(packet)


def test_the_oldest_tunnels_are_forgotten_and_a_stranger_finds_none():
    responder = Responder()
    assert responder.answer(b"\x04\0\0\0" + bytes(60)) is None
    assert responder.answer(b"\x04\0\0\0") is None


def test_a_stun_question_is_answered_on_every_port():
    transaction = os.urandom(12)
    question = struct.pack("!HHI", 1, 0, 0x2112A442) + transaction
    for hello in Hello:
        assert answer_datagram(hello, question) == struct.pack("!HHI", 0x0101, 0, 0x2112A442) + transaction
    assert hold("stun", Ask(entropy=os.urandom), lambda data: answer_datagram(Hello.OPENVPN, data))[0] == [Depth.HELLO]
    assert answer_stun(question[:19]) is None
    assert answer_stun(b"\x01\x01" + question[2:]) is None, "an answer is no question"


@given(st.binary(max_size=600), st.sampled_from(list(Hello)))
def test_any_datagram_is_answered_briefly_or_not_at_all(data, hello):
    answer = answer_datagram(hello, data)
    assert answer is None or len(answer) <= 2 * len(data) + 26


@given(st.lists(st.binary(max_size=300), max_size=6), st.sampled_from(list(Hello)))
def test_any_chunks_are_borne(chunks, hello):
    take = open_stream(hello)
    try:
        for chunk in chunks:
            take(chunk)
    except ProtocolError:
        pass


def test_two_references_do_not_answer_each_other_for_ever():
    answer = answer_datagram(Hello.OPENVPN, b"\x38" + bytes(13))
    assert answer_datagram(Hello.OPENVPN, answer) is None
    for hello in Hello:
        assert answer_datagram(hello, answer_stun(struct.pack("!HHI", 1, 0, 0x2112A442) + bytes(12))) is None


@pytest.mark.parametrize("hello", list(Hello))
def test_the_links_say_how_to_use_them(hello):
    for link in reference_links(hello, "192.0.2.1", 1194):
        entry = parse_link(link)
        assert (entry.parsed.host, entry.parsed.port) == ("192.0.2.1", 1194)


@pytest.mark.asyncio
async def test_a_reference_in_tls_serves_pages_in_it_too(unused_tcp_port):
    ports = HelloPorts({Hello.TROJAN: unused_tcp_port}, ("127.0.0.1",))
    await ports.start()
    try:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port, ssl=context)
        writer.write(b"GET /flow/70000/8388608 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert len((await reader.read()).partition(b"\r\n\r\n")[2]) == 70000
        writer.close()
    finally:
        await ports.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(("hello", "sent"), [
    (Hello.OPENVPN, b""),
    (Hello.TROJAN, b""),
    (Hello.TROJAN, b"\x16\x03\x01\x02\x00\x01"),
    (Hello.VLESS, b"\x16\x03\x01\x02\x00\x01"),
])  # fmt: skip
async def test_who_says_nothing_is_held_up_to_a_limit_and_keeps_nobody_out(unused_tcp_port, hello, sent):
    room = 10
    ports = HelloPorts({hello: unused_tcp_port}, ("127.0.0.1",), room=room)
    await ports.start()
    before = len(os.listdir("/proc/self/fd"))
    silent = []
    try:
        for _ in range(4 * room):
            silent.append(await asyncio.open_connection("127.0.0.1", unused_tcp_port))
            silent[-1][1].write(sent)
        gone = [reader.read() for reader, _ in silent[: 3 * room]]  # the oldest
        async with asyncio.timeout(5):
            assert await asyncio.gather(*gone, return_exceptions=True)
        assert len(os.listdir("/proc/self/fd")) <= before + 4 * room + room
        context = ssl.create_default_context() if hello.in_tls else None
        if context is not None:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()
    finally:
        for _, writer in silent:
            writer.transport.abort()
        await ports.close()


@pytest.mark.asyncio
async def test_a_handshake_in_small_pieces_completes_and_nonsense_ends_at_once(unused_tcp_port):
    ports = HelloPorts({Hello.TROJAN: unused_tcp_port}, ("127.0.0.1",))
    await ports.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        engine = open_engine(b"")
        hello = engine.start()
        for at in range(0, len(hello), 50):
            writer.write(hello[at : at + 50])
            await asyncio.sleep(0)
        while not engine.done:
            async with asyncio.timeout(5):
                writer.write(engine.feed(await reader.read(1000)))
        writer.write(engine.seal(b"GET / HTTP/1.1\r\n\r\n"))
        said = b""
        while (data := await reader.read(1000)) != b"":
            engine.add(data)
            while plain := engine.open():
                said += plain
        assert said.startswith(b"HTTP/1.1 200 OK")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await reader.read())[:1] in (b"\x15", b""), "an alert at most"
        writer.close()
    finally:
        await ports.close()


@pytest.mark.asyncio
async def test_the_ports_serve_both_transports_and_pages(unused_tcp_port):
    ports = HelloPorts({Hello.OPENVPN: unused_tcp_port}, ("127.0.0.1",))
    await ports.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(b"GET /flow/70000/8388608 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert len((await reader.read()).partition(b"\r\n\r\n")[2]) == 70000
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        reset = b"\x38" + bytes(13)
        writer.write(len(reset).to_bytes(2, "big") + reset)
        assert (await reader.readexactly(3))[2] == 0x40
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        writer.write(b"\0\x04rest")
        assert await reader.read() == b"", "what is no reset is closed on"
        writer.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            asking.connect(("127.0.0.1", unused_tcp_port))
            asking.send(reset)
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(asking, 100), 5)
        assert answer[0] == 0x40
    finally:
        await ports.close()


def test_a_set_up_names_the_ports():
    settings = parse_serve_settings("hellos: {openvpn: 1194, shadowsocks: 8388}\n", "control.yml")
    assert settings.hellos == {Hello.OPENVPN: 1194, Hello.SHADOWSOCKS: 8388}
    assert parse_serve_settings("", "control.yml").hellos == {}


@pytest.mark.parametrize(
    ("payload", "is_hello"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", True),
        (b"\x16\x03", True),
        (b"\x16\x03\x01\x02\x00\x02", False),
        (b"\x16" + b"n" * 40, False),
        (b"\x16", False),
        (b"", False),
    ],
)
def test_noise_that_begins_as_a_record_does_is_no_hello(payload: bytes, is_hello: bool) -> None:
    assert begins_tls(payload) is is_hello
