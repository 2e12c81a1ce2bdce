"""The first line names the tunnel that a success came through (CONTRACT section 3)."""

import msgspec

from probe.export.text.report import build_headline
from probe.model.measurement import Measurement
from probe.model.vantage import LocalFinding, Vantage
from probe.model.verdict import Confidence, Status, Verdict
from tests.unit.classify.cases import FIT, Story


def head(**fields: object) -> str:
    verdict = Verdict(status=Status.OK, confidence=Confidence.C2)
    given = {"target": Story().target, "vantage": Vantage(), "observations": (), "verdict": verdict}
    return build_headline(Measurement(id="m", started_at=0.0, runtime_s=1.0, **(given | fields))).text


def test_a_success_on_ones_own_network_names_none() -> None:
    assert "tunnel" not in head()


def test_a_success_through_the_default_route_of_a_tunnel_names_it() -> None:
    assert "  through the tunnel wg0  " in head(vantage=Vantage(via="wg0"))


def test_a_tunnel_that_came_up_since_the_start_is_told_by_the_last_look() -> None:
    seen = msgspec.structs.replace(FIT, findings=(LocalFinding.TUNNEL_ROUTE,))
    assert "  through a tunnel, the default route  " in head(baseline=seen)
