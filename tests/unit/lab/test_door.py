"""What stands before a site's servers: names that are cut off, hellos that are too large, machines that are broken."""

import asyncio
import contextlib
import ssl

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from probe.lab.world.certificates import Authority
from probe.lab.world.door import Balancer, Door, is_guarded
from probe.lab.world.plan import Certificate, Demand, Site, StrangeName, Turn
from probe.lab.world.secure import Keyring, build_context
from probe.lab.world.web import WebService

NAME, STRANGE = "www.news.example", "www.other.example"
SERVED, RESET, CLOSED, SILENT = "served", "reset", "closed", "silent"


@pytest.fixture
def keyring(tmp_path):
    trusted = Authority("Root", tmp_path)
    (tmp_path / "roots.pem").write_bytes(trusted.pem)
    return Keyring(trusted, Authority("Another", tmp_path))


@contextlib.asynccontextmanager
async def serving(site, keyring):
    door = Door((site,), build_context((site,), keyring), WebService((site,), secure=True, clock_offset_s=0.0))
    server = await asyncio.start_server(Balancer(site.turns).before(door.serve), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def greet(port, name=NAME, protocols=("http/1.1",)):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    try:
        async with asyncio.timeout(0.5):
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    except TimeoutError:
        return SILENT
    except ConnectionResetError as error:
        return RESET if error.errno else CLOSED
    except (ssl.SSLEOFError, EOFError):
        return CLOSED
    version = writer.get_extra_info("ssl_object").version()
    writer.close()
    return SERVED, version


def make(**fields):
    return Site(names=(NAME,), addresses=("127.0.0.1",), **fields)


@pytest.mark.parametrize(
    ("fate", "met"), [(StrangeName.RESET, RESET), (StrangeName.CLOSE, CLOSED), (StrangeName.SILENCE, SILENT)]
)
async def test_one_name_is_treated_so_and_the_other_is_served(keyring, fate, met):
    async with serving(make(own_name=fate), keyring) as port:
        assert await greet(port) == met
        assert (await greet(port, STRANGE))[0] == SERVED
    async with serving(make(strange_name=fate), keyring) as port:
        assert (await greet(port))[0] == SERVED
        assert await greet(port, STRANGE) == met


async def test_a_hello_that_is_too_large_is_reset(keyring):
    async with serving(make(longest_hello_bytes=700), keyring) as port:
        assert (await greet(port))[0] == SERVED
        assert await greet(port, protocols=[f"protocol-{n:03}" for n in range(60)]) == RESET


async def test_machines_take_turns(keyring):
    turns = (Turn.SERVES, Turn.RESETS, Turn.CLOSES, Turn.HANGS)
    async with serving(make(turns=turns), keyring) as port:
        met = [await greet(port) for _ in range(5)]
    assert [one if isinstance(one, str) else one[0] for one in met] == [SERVED, RESET, CLOSED, SILENT, SERVED]


async def test_an_end_may_speak_an_old_version_only(keyring):
    site = make(demands=(Demand.TLS_1_2,), longest_hello_bytes=9999)
    async with serving(site, keyring) as port:
        assert await greet(port) == (SERVED, "TLSv1.2")


def test_only_what_needs_it_is_read_before_it_is_served():
    assert not is_guarded((make(), make(strange_name=StrangeName.ALERT)))
    assert is_guarded((make(), make(turns=(Turn.HANGS,))))


def test_a_large_certificate_takes_several_packets_and_another_does_not(keyring):
    large, usual = (keyring.issue((NAME,), kind)[1] for kind in (Certificate.LARGE, Certificate.VALID))
    sizes = [len(one.public_bytes(Encoding.DER)) for one in (large, usual)]
    assert sizes[0] > 3000
    assert sizes[1] < 1000
