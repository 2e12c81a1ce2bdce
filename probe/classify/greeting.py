"""What a greeting comes to: who answers is there, and of who does not nothing is concluded. Pure."""

from probe.model.verdict import RULES_VERSION, Cause, Confidence, Status, Verdict

RULE_ID = "vpn.greeted"


def leave_open(verdict: Verdict) -> Verdict:
    """Return the verdict on a hello that was sent once, without credentials and without a comparison."""
    if verdict.status is Status.OK:
        return verdict
    return Verdict(
        status=Status.INSUFFICIENT,
        cause=Cause.UNKNOWN,
        confidence=Confidence.C0,
        depth=verdict.depth,
        summary="Greeted once, and not judged: who does not answer a stranger's hello may not be there at all.",
        rule_id=RULE_ID,
        rules_version=RULES_VERSION,
    )
