"""What is known of a tunnel's credentials from before: handshakes that succeeded, and the user's word."""

import datetime
from typing import Any

from probe.classify.facts.tunnel_facts import REMEMBERED_S
from probe.classify.facts.tunnel_flows import flow_rate
from probe.model.depth import Depth
from probe.model.experiment import Design, NameKind
from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.observation import DialogueExchange, Observation
from probe.model.proof import Proof, ProofSource
from probe.model.target import Target
from probe.model.vantage import Vantage
from probe.model.verdict import Status
from probe.store.store import Store

LOGIN_PARAM = "login"
"""Param of a target whose password was to be used."""
_REJECTIONS = frozenset({FailureCode.REFUSED_BY_PEER, FailureCode.CREDENTIALS_EXPIRED})
"""After these a password is not sent again: the latter does not say what it was that was not liked."""
_LOOKED_AT = 8
"""The newest stored successes; older ones say nothing that these do not."""


def find_proofs(store: Store, target: Target, vantage: Vantage, wall_s: float) -> tuple[Proof, ...]:
    """Return what the database knows, newest first. A handshake from any network proves the credentials.

    Only with the secrets that the target has now: what was changed since has proven nothing.
    """
    found: list[Proof] = []
    others = False
    for line in store.load_stored(target.id, wall_s - REMEMBERED_S, Status.OK, _LOOKED_AT):
        measurement = store.load_measurement(line.id)
        if measurement is not None and not same_secrets(measurement.target, target):
            others = True
        elif measurement is not None:
            found.append(
                Proof(
                    source=ProofSource.HISTORY,
                    age_s=wall_s - measurement.started_at,
                    elsewhere=_differ(measurement.vantage, vantage),
                    references=_good_references(measurement, Design.REFERENCE),
                    greeted=_good_references(measurement, Design.REFERENCE, NameKind.NEUTRAL),
                    carriers=_good_references(measurement, Design.VOLUME),
                    measurement=measurement.id,
                    **_carried(measurement),
                )
            )
    history = store.load_history(target.id, limit=1)
    last_ok_at = history.tally.last_ok_at if history is not None and history.tally is not None else 0.0
    # Figures do not say with which secrets a run was made, so they count only where no whole run is known.
    if last_ok_at and not found and not others and wall_s - last_ok_at <= REMEMBERED_S:
        found.append(Proof(source=ProofSource.HISTORY, age_s=wall_s - last_ok_at))
    return tuple(found)


def _carried(measurement: Measurement) -> dict[str, Any]:
    """Return how much came through the tunnel itself, and how fast; nothing where its volume was not tried."""
    for seen in measurement.observations:
        is_own = isinstance(seen, DialogueExchange) and not seen.experiment
        if is_own and isinstance(seen, DialogueExchange) and seen.depth is Depth.VOLUME:
            return {"carried_bytes": seen.bytes_received, "rate": flow_rate(seen)}
    return {}


def _good_references(measurement: Measurement, design: Design, kind: NameKind = NameKind.TEST) -> tuple[str, ...]:
    """Return the references that answered in this run: in their protocol, or what is harmless, or with their volume."""
    good = {
        observation.experiment
        for observation in measurement.observations
        if isinstance(observation, DialogueExchange)
        and observation.failure is None
        and (design is not Design.VOLUME or observation.depth is Depth.VOLUME)
    }
    return tuple(
        dict.fromkeys(
            str(experiment.endpoint)
            for experiment in measurement.experiments
            if experiment.id in good and experiment.design is design and experiment.name_kind is kind
        )
    )


def find_rejected_login(store: Store, target: Target) -> Measurement | None:
    """Return the run in which a login with the target's password was refused, unless one has succeeded since."""
    for line in store.load_stored(target.id, limit=_LOOKED_AT):
        measurement = store.load_measurement(line.id)
        if measurement is None or not measurement.target.params.get(LOGIN_PARAM):
            continue
        if not same_secrets(measurement.target, target):
            continue
        return measurement if any(_rejects_login(seen) for seen in measurement.observations) else None
    return None


def _rejects_login(seen: Observation) -> bool:
    """Tell whether a login was rejected in it; a relay that failed after it was none."""
    if not isinstance(seen, DialogueExchange) or seen.failure is None:
        return False
    return seen.failure.code in _REJECTIONS and seen.depth.rank < Depth.AUTH.rank


def same_secrets(one: Target, other: Target) -> bool:
    """Tell whether two runs used the same secrets, as far as it is known of both."""
    return not one.key_tag or not other.key_tag or one.key_tag == other.key_tag


def read_word(date: str, wall_s: float) -> Proof:
    """Return the user's word that it worked on a day, which counts from its beginning.

    Raises:
        ValueError: it is no date, or one to come.
    """
    day = datetime.datetime.fromisoformat(date)
    day = day if day.tzinfo is not None else day.replace(tzinfo=datetime.UTC)
    age_s = wall_s - day.timestamp()
    if age_s < -86400.0:
        raise ValueError("this day is still to come")
    return Proof(source=ProofSource.USER, age_s=max(0.0, age_s))


def _differ(one: Vantage, other: Vantage) -> bool:
    """Tell whether two runs were surely made from different networks."""
    if one.id != other.id:
        return True
    pairs = ((one.network, other.network), (one.asn, other.asn))
    return any(a and b and a != b for a, b in pairs)
