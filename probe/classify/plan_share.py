"""Follow-ups where a name fails now and then: more handshakes on fresh ports, and neutral names between them.

Source: CONTRACT section 4 (ten connections for each address and design, six at once); a share of 26 %, the weakest seen
in the field (Wu et al., USENIX Security 2023), shows itself in ten tries.
"""

from probe.classify.case import Case
from probe.classify.pairs import PAIRS
from probe.classify.shares import count_share
from probe.classify.tries import Layer, Try, is_literal
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import TLSHandshake
from probe.model.target import Exposure

TRIES = 10
AT_ONCE = 5
PATIENCE_S = 5.0
"""Each try; a silent one would hold up the rest for the whole timeout."""


def plan_share(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the next handshakes: five of the name, then neutral ones, then five more.

    They are made once the name has failed and come through as well, or as many as the user asked for.
    """
    own = tuple(row for row in table if row.hop == 0 and row.place in (Place.OWN, Place.SIBLING))
    # What one family alone meets is no share: each is looked at for itself.
    families = [tuple(row for row in own if (":" in row.address) is v6) for v6 in (False, True)]
    mixed = next((rows for rows in families if count_share(rows).is_mixed), None)
    own = mixed or own
    first = next((row for row in own if row.experiment is None and row.layer is Layer.TLS), None)
    if first is None or case.cold_start or case.target.exposure is Exposure.PRIVATE or not case.neutral_names:
        return ()
    seen = first.observation
    if not isinstance(seen, TLSHandshake) or not seen.server_name or is_literal(seen.server_name):
        return ()
    wanted = TRIES if mixed else min(case.tries, TRIES)
    named = (Design.SHARE, Design.SNI)
    planned = [e for e in case.experiments if e.design in named and e.endpoint == seen.endpoint]
    done = {row.experiment.id for row in table if row.experiment is not None and row.layer in (Layer.TLS, Layer.TCP)}
    if not wanted or any(e.id not in done or e.id in case.running for e in planned):
        return ()
    tests = sum(e.design is Design.SHARE for e in planned)
    controls = sum(e.name_kind is NameKind.NEUTRAL for e in planned)
    if tests and controls < PAIRS and count_share(own).failed:
        return tuple(_build(seen, case.neutral_names[0], Design.SNI, n) for n in range(controls + 1, PAIRS + 1))
    room = min(wanted, tests + AT_ONCE)
    return tuple(_build(seen, seen.server_name, Design.SHARE, n) for n in range(tests + 1, room + 1))


def _build(seen: TLSHandshake, name: str, design: Design, number: int) -> Experiment:
    """Return one try; neutral names are those of the design of names, which may have asked some of them already."""
    kind = NameKind.TEST if design is Design.SHARE else NameKind.NEUTRAL
    return Experiment(
        id=f"{design.value}.{kind.value}.{seen.endpoint}.0.{number}", design=design, step=Step.HANDSHAKE,
        name=name, name_kind=kind, endpoint=seen.endpoint, within_s=PATIENCE_S, cell=number,
    )  # fmt: skip
