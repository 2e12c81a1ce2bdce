"""When a target's certificates end."""

import datetime

import msgspec
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from probe.daemon.certificates import HAS_EXPIRED, Expiries
from probe.model.endpoint import Endpoint
from probe.model.measurement import Measurement
from probe.model.observation import Observation, Role, TLSHandshake, TLSStage
from probe.model.vantage import Vantage
from probe.model.verdict import Status, Verdict
from tests.unit.export.snapshots import make_target

FIRST, LATER = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC), datetime.datetime(2031, 1, 1, tzinfo=datetime.UTC)
AUTHORITY = trustme.CA()


def leaf(ends: datetime.datetime) -> bytes:
    pem = AUTHORITY.issue_cert("www.example.org", not_after=ends).cert_chain_pems[0].bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def shake(chain: tuple[bytes, ...], *, verified: bool = True, code: int = 0, role: Role = Role.TARGET) -> TLSHandshake:
    return TLSHandshake(
        transaction=1, t0_s=0, t_s=1, endpoint=Endpoint(address="192.0.2.1", port=443), server_name="www.example.org",
        stage=TLSStage.DONE, chain=chain, verified=verified, verify_code=code, role=role,
    )  # fmt: skip


def run(*seen: Observation) -> Measurement:
    return Measurement(
        id="01JB", target=make_target(), vantage=Vantage(), started_at=1.0, runtime_s=1.0,
        observations=seen, verdict=Verdict(status=Status.OK),
    )  # fmt: skip


def test_the_first_end_among_the_addresses_counts():
    seen = run(shake((leaf(LATER), leaf(FIRST))), shake((leaf(FIRST),)))
    assert Expiries().find_first(seen) == FIRST.timestamp()
    assert Expiries().find_first(run(shake((leaf(LATER), leaf(FIRST))))) == LATER.timestamp(), "only leaves count"


def test_an_expired_certificate_counts_and_a_foreign_one_does_not():
    assert Expiries().find_first(run(shake((leaf(FIRST),), verified=False, code=HAS_EXPIRED))) == FIRST.timestamp()
    assert Expiries().find_first(run(shake((leaf(FIRST),), verified=False, code=19))) == 0.0


def test_anchors_garbage_and_handshakes_without_a_chain_say_nothing():
    seen = run(shake(()), shake((b"garbage",)), shake((leaf(FIRST),), role=Role.ANCHOR))
    expiries = Expiries()
    assert expiries.find_first(seen) == 0.0
    assert expiries.find_first(msgspec.structs.replace(seen, observations=())) == 0.0
