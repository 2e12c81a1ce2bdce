"""A tunnel that answers is not taken for one that lets its user in."""

import pytest

from probe.export.text.report import build_report
from probe.export.text.untried import name_untried
from probe.model.depth import Depth
from probe.model.measurement import Measurement
from probe.model.target import CheckName, SecretRef, Target
from probe.model.vantage import Vantage
from probe.model.verdict import Cause, Confidence, Status, Verdict


def run(protocol: str, reached: Depth, *secrets: str, status: Status = Status.OK, **params: str) -> Measurement:
    target = Target(
        id="t", check=CheckName.VPN, address=f"{protocol}://192.0.2.1:1", host="192.0.2.1", port=1,
        params={"protocol": protocol, **params},
        secrets={name: SecretRef(source=f"entry:f#0.{name}") for name in secrets},
    )  # fmt: skip
    cause = Cause.NONE if status is Status.OK else Cause.SERVER
    verdict = Verdict(status=status, cause=cause, confidence=Confidence.C2, depth=reached, summary="No.")
    return Measurement(
        id="ID", target=target, vantage=Vantage(), started_at=0.0, runtime_s=1.0, observations=(), verdict=verdict
    )


@pytest.mark.parametrize(
    ("measurement", "says"),
    [
        (run("openvpn", Depth.PROOF, "ca", "login"), "--login"),
        (run("openvpn", Depth.PROOF, "ca", "cert", asks="password"), "--login"),
        (run("openvpn", Depth.PROOF, "ca", "cert"), "--depth data"),
        (run("openvpn", Depth.HELLO, "key", "pkcs12"), "passphrase"),
        (run("openvpn", Depth.HELLO, "key"), "names no CA"),
        (run("hysteria2", Depth.HELLO, "password", "obfs-password"), "--login"),
        (run("wireguard", Depth.AUTH, "private_key"), "--depth data"),
        (run("openvpn", Depth.HELLO, "ca", "login", depth="hello"), "--login"),
        (run("openvpn", Depth.DATA, "ca", "cert"), ""),
        (run("trojan", Depth.DATA, "password"), ""),
        (run("stun", Depth.HELLO), ""),
        (run("openvpn", Depth.PROOF, "ca", "login", status=Status.SERVER_SIDE), ""),
    ],
)
def test_what_stays_open_is_named_with_the_way_to_try_it(measurement: Measurement, says: str) -> None:
    untried = name_untried(measurement)
    assert (says in untried) if says else not untried
    shown = [line.text for line in build_report(measurement) if line.text.startswith("  Not tried: ")]
    assert shown == ([f"  Not tried: {untried}."] if untried else [])


def test_a_refusal_by_the_server_is_not_blamed_on_unproven_keys() -> None:
    refused = run("openvpn", Depth.HELLO, "ca", "login", status=Status.SERVER_SIDE)
    assert not any("Credentials" in line.text for line in build_report(refused))
