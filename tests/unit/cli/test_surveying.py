"""Which names are greeted as gateways, and what is said of the answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.cli.commands.check import parse_targets
from probe.cli.surveying import plan_surveys
from probe.export.text.survey_report import answered, build_survey_report
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.measurement import Measurement
from probe.model.observation import DialogueExchange, StageReached
from probe.model.target import Exposure, Target
from probe.model.vantage import Vantage
from probe.model.verdict import Status, Verdict
from probe.protocols import load_specs
from probe.protocols.dialogue import Udp
from probe.targets.address import parse_address
from probe.targets.survey import build_survey, is_named_like_a_vpn


@pytest.mark.parametrize(
    "host", ["vpn.office.example", "vpn2.a.example", "vpn-eu.a.b.example", "sslvpn.a.example", "remote.a.example",
             "gw1.a.example", "webvpn.a.example", "VPN.a.example"],
)  # fmt: skip
def test_a_first_word_says_that_a_gateway_is_there(host: str) -> None:
    assert is_named_like_a_vpn(host)


@pytest.mark.parametrize(
    "host", ["www.example.org", "vpn.com", "vpns.example.org", "my.vpn.example.org", "remotely.example.org",
             "gwen.example.org", "192.0.2.1", "example.org", "remoteness.a.example", ""],
)  # fmt: skip
def test_other_names_are_left_in_peace(host: str) -> None:
    assert not is_named_like_a_vpn(host)


@given(st.text(max_size=40))
def test_any_text_is_named_so_or_not(host: str) -> None:
    assert is_named_like_a_vpn(host) in (True, False)


def plan(*texts: str, wanted: bool | None = None) -> list[str]:
    return [survey.host for survey in plan_surveys(texts, parse_targets(texts), wanted)]


def test_only_bare_names_are_greeted_and_only_where_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("vpn.a.example", "www.a.example") == ["vpn.a.example"]
    assert "vpn.a.example is named like a VPN" in capsys.readouterr().err
    assert plan("https://vpn.a.example", "vpn.a.example:8443", "vpn.a.example/login", "tls://vpn.a.example:443") == []
    assert plan("vpn.a.example", wanted=False) == []
    assert plan("vpn.büro.example") == ["vpn.xn--bro-hoa.example"]
    capsys.readouterr()
    assert plan("www.a.example", "192.0.2.1", "https://vpn.a.example", wanted=True) == ["www.a.example", "192.0.2.1"]
    assert capsys.readouterr().err == ""


def test_a_survey_is_without_credentials_variants_and_big_bursts() -> None:
    survey = build_survey(parse_address("vpn.a.example"))
    targets = [target for chain in survey.chains for target in chain]
    assert len(targets) == 8
    assert len({target.id for target in targets}) == 8
    assert all(target.exposure is Exposure.PRIVATE and not target.secrets for target in targets)
    # Those that share a port are asked one after another.
    for port in {target.port for target in targets}:
        udp = [
            isinstance(load_specs()[t.params["protocol"]].choose_stack(t.params)[0], Udp)
            for t in targets
            if t.port == port
        ]
        assert len([chain for chain in survey.chains if any(target.port == port for target in chain)]) == 1
        assert len(set(udp)) == 1
    assert parse_address("anyconnect://vpn.a.example:443?insecure=1").id in {target.id for target in targets}


def run(target: Target, *depths: Depth, code: FailureCode | None = None, **reply: str) -> Measurement:
    exchange = DialogueExchange(
        transaction=1, t0_s=0.0, t_s=0.1, endpoint=Endpoint(address="192.0.2.1", port=target.port), reply=reply,
        protocol=target.params["protocol"], transport="tcp+tls", depth=depths[-1] if depths else Depth.NONE,
        stages=tuple(StageReached(depth=depth, t_s=0.046) for depth in depths),
        failure=None if code is None else Failure(stage=Stage.DIALOGUE, code=code),
    )  # fmt: skip
    return Measurement(
        id="1",
        target=target,
        started_at=0.0,
        runtime_s=0.1,
        observations=(exchange,),
        vantage=Vantage(),
        verdict=Verdict(status=Status.OK),
    )


def test_the_report_names_who_answered_and_accuses_nobody_of_silence() -> None:
    cisco, prelogin, *_ = build_survey(parse_address("vpn.a.example")).chains[0]
    asked = (run(cisco, Depth.HELLO, server="9.1", asks_for="username"), run(prelogin, code=FailureCode.TIMEOUT))
    lines = [line.text for line in build_survey_report("vpn.a.example", asked, 3)]
    assert [answered(measurement) for measurement in asked] == [True, False]
    assert lines[0] == "  Lives at vpn.a.example: AnyConnect (443/tcp)"
    assert lines[1] == "    AnyConnect        443/tcp   hello ✓ 46 ms   “9.1, username”"
    assert lines[2] == "    GlobalProtect     443/tcp   hello ✗ no reply"
    assert lines[3] == "    3 more were not asked: their port does not answer"
    assert lines[4].startswith("    Silence says little")


def test_nothing_found_is_said_so() -> None:
    cisco = build_survey(parse_address("vpn.a.example")).chains[0][0]
    lines = [line.text for line in build_survey_report("vpn.a.example", (run(cisco, code=FailureCode.EOF),))]
    assert lines[0] == "  No VPN gateway that is known here answers at vpn.a.example."


def test_what_was_not_asked_again_is_not_called_absent() -> None:
    cisco = build_survey(parse_address("vpn.a.example")).chains[0][0]
    lines = [line.text for line in build_survey_report("vpn.a.example", (run(cisco, code=FailureCode.TOO_SOON),))]
    assert lines[0] == "  vpn.a.example was greeted a moment ago and is not again: run this in a minute."
