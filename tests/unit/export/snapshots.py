"""Snapshots that tests and the bench render."""

from typing import Any

from probe.model.episode import Episode, Interval
from probe.model.failure import FailureCode
from probe.model.pattern import Pattern
from probe.model.snapshot import Phase, TargetSnapshot
from probe.model.target import CheckName, Target
from probe.model.verdict import Cause, Confidence, Depth, Status, Verdict

NOW = 1_700_000_000.0


def make_target(number: int = 0, **fields: Any) -> Target:
    host = f"www.site-{number:05}.example"
    given: dict[str, Any] = {
        "id": f"web-www-site-{number:05}-example",
        "check": CheckName.WEB,
        "address": f"https://{host}/",
        "host": host,
        "port": 443,
        "category": "NEWS",
        "group": "sites",
    }
    return Target(**(given | fields))


def make_snapshot(number: int = 0, status: Status = Status.OK, **fields: Any) -> TargetSnapshot:
    """Return a target that was measured often and last found so, 40 µs of figures shaken by its number."""
    ok = status is Status.OK
    target = fields.pop("target", None) or make_target(number)
    shaken = (number * 7919 % 1000) / 1e6
    given: dict[str, Any] = {
        "target": target,
        "verdict": Verdict(
            status=status,
            patterns=() if ok else (Pattern.TLS_RESET_SNI,),
            cause=Cause.NONE if ok else Cause.NETWORK,
            confidence=Confidence.C2,
            depth=Depth.PAGE if ok else Depth.REACH,
            addresses=(2, 2, 1, 1) if ok else (2, 0, 1, 0),
        ),
        "episode": Episode(
            target=target.id, since=Interval(last_before=NOW - 900, first_in=NOW - 600 + shaken), status=status
        ),
        "measurement": f"01JB{number:022}",
        "last_run_at": NOW + shaken,
        "last_ok_at": NOW + shaken if ok else NOW - 700,
        "valid_until": NOW + 900 + shaken,
        "duration_s": 0.2,
        "certificate_expires_at": NOW + 30 * 86400,
        "runs_total": 4711 + number,
        "failures_total": 3,
        "failures": {FailureCode.CONNECTION_RESET: 2, FailureCode.TIMEOUT: 1},
        "last_failure": FailureCode.CONNECTION_RESET,
        "failed_measurement": f"01JA{number:022}",
        "phases": tuple(
            Phase(name=name, family=family, duration_s=0.0123 + shaken)
            for name, family in (
                ("queued", 0),
                ("resolve", 4),
                ("connect", 4),
                ("tls", 4),
                ("first_byte", 4),
                ("transfer", 4),
                ("connect", 6),
                ("tls", 6),
            )
        ),
    }
    return TargetSnapshot(**(given | fields))
