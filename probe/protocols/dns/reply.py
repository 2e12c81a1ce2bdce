"""What an accepted DNS reply says: a failure, an answer, or an answer that deserves a second look.

Source: RFC 1035 section 4.1.1 (rcodes), RFC 2308 (no such record); the oddities are those of injected replies.
"""

from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import DNSReply
from probe.protocols.dns.message import TRUNCATED
from probe.protocols.special_address import is_special

_NOERROR = 0
_CODES = {2: FailureCode.DNS_SERVFAIL, 3: FailureCode.DNS_NXDOMAIN, 5: FailureCode.DNS_REFUSED}
_RCODE_NAMES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_BESIDE = frozenset({"CNAME", "DNAME", "RRSIG"})
"""What may stand beside the records that were asked for."""
_ADDRESSES = frozenset({"A", "AAAA"})


def judge_reply(reply: DNSReply, query_type: str) -> Failure | None:
    """Return what is wrong with a reply of ours, or `None` when it brings what was asked for."""
    if reply.flags & TRUNCATED:
        return _fail(FailureCode.MESSAGE_SIZE, "truncated: must be asked over TCP")
    if reply.rcode != _NOERROR:
        code = _CODES.get(reply.rcode, FailureCode.DNS_MISBEHAVING)
        return _fail(code, _RCODE_NAMES.get(reply.rcode, f"rcode {reply.rcode}"))
    if not any(query_type in (answer.type, "ANY") for answer in reply.answers):
        return _fail(FailureCode.DNS_NO_ANSWER, f"no {query_type} record")
    return None


def _fail(code: FailureCode, detail: str) -> Failure:
    return Failure(stage=Stage.RESOLVE, code=code, detail=detail)


def looks_odd(reply: DNSReply, query_type: str) -> bool:
    """Tell whether more replies should be waited for before this one is believed.

    An empty answer to AAAA is ordinary: half of all names have none.
    """
    if reply.rcode != _NOERROR or reply.trailing_bytes:
        return True
    found = False
    for answer in reply.answers:
        if answer.type == query_type:
            found = True
            if query_type in _ADDRESSES and is_special(answer.value):
                return True
        elif answer.type not in _BESIDE and query_type != "ANY":
            return True
    return not found and query_type not in ("AAAA", "ANY") and not reply.flags & TRUNCATED
