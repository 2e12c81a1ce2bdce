"""What a database knows of a tunnel's credentials: successes from any network, and references that answered then."""

import asyncio

import msgspec
import pytest

from probe.classify.facts.tunnel_facts import REMEMBERED_S
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.measurement import Measurement
from probe.model.observation import DialogueExchange, Role
from probe.model.proof import ProofSource
from probe.model.settings import StoreSettings
from probe.model.target import CheckName, Target
from probe.model.vantage import Vantage
from probe.model.verdict import Cause, Confidence, Status, Verdict
from probe.pipeline.proofs import find_proofs, find_rejected_login, read_word
from probe.store.store import Store
from tests.fakes import FakeClock

TARGET = Target(
    id="openvpn~1", check=CheckName.VPN, address="openvpn://192.0.2.1:1194", host="192.0.2.1", port=1194,
    params={"protocol": "openvpn"},
)  # fmt: skip
HOME, CAFE = Vantage(network="home"), Vantage(network="cafe")


def run(name: str, at: float, status: Status = Status.OK, vantage: Vantage = HOME) -> Measurement:
    there = Endpoint(address="192.0.2.9", port=1194)
    planned = Experiment(
        id="reference.test.1", design=Design.REFERENCE, step=Step.CONVERSE, name="ref", name_kind=NameKind.TEST,
        place=Place.UNRELATED, endpoint=there,
    )  # fmt: skip
    answered = DialogueExchange(
        transaction=1, t0_s=0.0, t_s=0.1, endpoint=there, protocol="openvpn", transport="udp",
        role=Role.EXPERIMENT, experiment=planned.id,
    )  # fmt: skip
    cause = Cause.NONE if status is Status.OK else Cause.UNKNOWN
    return Measurement(
        id=name.ljust(26, "0"), target=TARGET, vantage=vantage, started_at=at, runtime_s=0.1,
        observations=(answered,), experiments=(planned,),
        verdict=Verdict(status=status, cause=cause, confidence=Confidence.C2),
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    clock = FakeClock()
    with Store.open(StoreSettings(path=str(tmp_path / "w.db")), clock) as opened:
        yield opened, clock


def find(opened, clock, vantage=HOME):
    asyncio.run(opened.flush())
    return find_proofs(opened, TARGET, vantage, clock.wall_s())


def test_a_success_proves_and_from_another_network_it_is_a_control(store):
    opened, clock = store
    now_s = clock.wall_s()
    opened.add(run("01A", now_s - 500), whole=True)
    opened.add(run("01B", now_s - 100, vantage=CAFE), whole=True)
    opened.add(run("01C", now_s - 50, Status.INSUFFICIENT), whole=True)
    proofs = find(opened, clock)
    assert [(p.elsewhere, round(p.age_s)) for p in proofs] == [(True, 100), (False, 500)]
    assert {p.references for p in proofs} == {("192.0.2.9:1194",)}
    assert [p.elsewhere for p in find(opened, clock, CAFE)] == [False, True]


def test_what_is_looked_for_is_what_is_believed(store):
    opened, clock = store
    for name, age_s in (("01A", REMEMBERED_S + 60), ("01B", REMEMBERED_S - 60)):
        opened.add(run(name, clock.wall_s() - age_s), whole=True)
    assert [p.measurement[:3] for p in find(opened, clock)] == ["01B"]


def test_a_reference_that_answered_something_harmless_is_told_from_one_that_answered_in_its_protocol(store):
    opened, clock = store
    met = run("01A", clock.wall_s() - 5)
    stun = msgspec.structs.replace(
        met.experiments[0], id="reference.neutral.1", name="stun", name_kind=NameKind.NEUTRAL
    )
    lost = Failure(stage=Stage.DIALOGUE, code=FailureCode.TIMEOUT)
    for number, failure in enumerate((None, lost)):
        harmless = msgspec.structs.replace(
            met.observations[0], transaction=2, experiment=stun.id, failure=failure, protocol="stun"
        )
        again = msgspec.structs.replace(
            met, id=f"01{number}".ljust(26, "0"), observations=(*met.observations, harmless),
            experiments=(planned := met.experiments[0], stun), started_at=met.started_at + number,
        )  # fmt: skip
        opened.add(again, whole=True)
    silent, answered = find(opened, clock)
    assert (silent.greeted, answered.greeted) == ((), (str(planned.endpoint),))
    assert silent.references == answered.references == (str(planned.endpoint),)


def test_networks_that_are_not_known_to_differ_are_one(store):
    opened, clock = store
    opened.add(run("01A", clock.wall_s() - 5, vantage=Vantage()), whole=True)
    assert [p.elsewhere for p in find(opened, clock)] == [False]
    assert [p.elsewhere for p in find(opened, clock, Vantage(id="other"))] == [True]


def test_what_never_worked_has_no_proof(store):
    opened, clock = store
    opened.add(run("01C", clock.wall_s() - 50, Status.INSUFFICIENT), whole=True)
    assert find(opened, clock) == ()


def test_a_users_word_is_a_day_that_has_been():
    word = read_word("2026-11-20", 1_796_000_000.0)
    assert word.source is ProofSource.USER
    assert word.age_s > 0
    for wrong in ("yesterday", "2099-01-01", ""):
        with pytest.raises(ValueError, match=r"isoformat|still to come"):
            read_word(wrong, 1_796_000_000.0)


def tagged(name: str, at: float, tag: str, **params: str) -> Measurement:
    made = run(name, at)
    target = msgspec.structs.replace(TARGET, key_tag=tag, params={**TARGET.params, **params})
    return msgspec.structs.replace(made, target=target)


def test_what_other_secrets_achieved_proves_nothing_of_these(store):
    opened, clock = store
    opened.add(tagged("01A", clock.wall_s() - 500, "old"), whole=True)
    opened.add(tagged("01B", clock.wall_s() - 50, "old"), whole=True)
    asyncio.run(opened.flush())

    def proofs(tag: str) -> int:
        target = msgspec.structs.replace(TARGET, key_tag=tag)
        return len(find_proofs(opened, target, HOME, clock.wall_s()))

    assert proofs("old") == 2
    assert proofs("new") == 0, "else a wrong new password would look like a filter"
    assert proofs("") == 2, "of secrets that cannot be read nobody knows"


def test_a_refused_password_does_not_stand_in_the_way_of_another(store):
    opened, clock = store
    refused = tagged("01A", clock.wall_s() - 500, "old", login="1")
    exchange = msgspec.structs.replace(
        refused.observations[0], failure=Failure(stage=Stage.DIALOGUE, code=FailureCode.REFUSED_BY_PEER)
    )
    opened.add(msgspec.structs.replace(refused, observations=(exchange,)), whole=True)
    asyncio.run(opened.flush())
    found = {
        tag: find_rejected_login(opened, msgspec.structs.replace(TARGET, key_tag=tag)) is not None
        for tag in ("old", "new", "")
    }
    assert found == {"old": True, "new": False, "": True}


def test_a_login_that_was_taken_before_the_relay_failed_is_not_a_refused_one(store):
    opened, clock = store
    for number, depth in enumerate((Depth.HELLO, Depth.AUTH), 1):
        run = tagged(f"0{number}", clock.wall_s() - 500 + number, "same", login="1")
        failure = Failure(stage=Stage.DIALOGUE, code=FailureCode.REFUSED_BY_PEER)
        exchange = msgspec.structs.replace(run.observations[0], failure=failure, depth=depth)
        opened.add(msgspec.structs.replace(run, observations=(exchange,)), whole=True)
        asyncio.run(opened.flush())
        found = find_rejected_login(opened, msgspec.structs.replace(TARGET, key_tag="same"))
        assert (found is not None) is (depth is Depth.HELLO)
