"""How steps come out, in the words of stories, and what an observation says of it."""

from probe.model.failure import FailureCode
from probe.model.observation import Ending

RCODES = {
    FailureCode.DNS_NXDOMAIN: 3,
    FailureCode.DNS_SERVFAIL: 2,
    FailureCode.DNS_REFUSED: 5,
    FailureCode.DNS_NO_ANSWER: 0,
}
CODES = {
    "reset": (FailureCode.CONNECTION_RESET, Ending.RESET),
    "fin": (FailureCode.EOF, Ending.FIN),
    "silent": (FailureCode.TIMEOUT, Ending.SILENCE),
    "unreachable": (FailureCode.HOST_UNREACHABLE, Ending.ERROR),
}
PARTIAL = {
    "cut_reset": (FailureCode.CONNECTION_RESET, Ending.RESET),
    "cut_fin": (FailureCode.EOF, Ending.FIN),
    "stalled": (FailureCode.TIMEOUT, Ending.SILENCE),
    "dripping": (FailureCode.TIMEOUT, None),
    "garbled": (FailureCode.HTTP_REQUEST_FAILED, None),
}
"""Answers that began and did not complete."""
