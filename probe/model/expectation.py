"""What of a user's `expect:` was not met, point by point."""

import hashlib
import re

from probe.model.observation import HTTPExchange
from probe.model.target import Expect, StatusRange

MAX_MATCHED_BYTES = 524288
"""A body is searched no further: time on a hostile page stays bounded."""
_MAX_QUOTED = 80


def unmet_expectations(
    expect: Expect, exchange: HTTPExchange | None, chain: tuple[bytes, ...], answers: tuple[str, ...]
) -> tuple[str, ...]:
    """Return one short sentence for each point that does not hold; empty = all is as expected.

    `exchange` is the final answer of a web target, `chain` the certificates of its handshake (DER, leaf first),
    `answers` what a name resolved to.
    """
    unmet: list[str] = []
    if expect.status or expect.body is not None or expect.body_not is not None or expect.headers:
        if exchange is None or not exchange.status:
            unmet.append("an HTTP answer was expected, none came")
        else:
            unmet += _unmet_by_answer(expect, exchange)
    if expect.cert_sha256:
        unmet += _unmet_by_chain(expect.cert_sha256, chain)
    if expect.answer:
        unmet += _unmet_by_answers(expect.answer, answers)
    return tuple(unmet)


def _unmet_by_answer(expect: Expect, exchange: HTTPExchange) -> list[str]:
    unmet = []
    if expect.status and not any(span.low <= exchange.status <= span.high for span in expect.status):
        unmet.append(f"status {_name_ranges(expect.status)} was expected, {exchange.status} came")
    if expect.body is not None or expect.body_not is not None:
        body = exchange.body[:MAX_MATCHED_BYTES].decode("utf-8", "replace")
        if expect.body is not None and not re.search(expect.body, body):
            unmet.append(f"the body does not match {_quote(expect.body)}")
        if expect.body_not is not None and re.search(expect.body_not, body):
            unmet.append(f"the body matches {_quote(expect.body_not)}, which it must not")
    for wanted in expect.headers:
        values = [value for name, value in exchange.headers if name.lower() == wanted.name.lower()]
        if not values:
            unmet.append(f"header {wanted.name} was expected, none came")
        elif not any(re.search(wanted.value, value) for value in values):
            unmet.append(f"header {wanted.name} does not match {_quote(wanted.value)}: {_quote(values[0])}")
    return unmet


def _unmet_by_chain(wanted: tuple[str, ...], chain: tuple[bytes, ...]) -> list[str]:
    if not chain:
        return ["a certificate was expected, none came"]
    digest = hashlib.sha256(chain[0]).hexdigest()
    if digest in wanted:
        return []
    return [f"the certificate is another than expected: its SHA-256 is {digest}"]


def _unmet_by_answers(wanted: tuple[str, ...], answers: tuple[str, ...]) -> list[str]:
    if not answers:
        return ["a DNS answer was expected, none came"]
    strange = [answer for answer in answers if answer not in wanted]
    if not strange:
        return []
    return [f"the DNS answer has what was not expected: {', '.join(strange)[:_MAX_QUOTED]}"]


def _name_ranges(ranges: tuple[StatusRange, ...]) -> str:
    return " or ".join(str(span.low) if span.low == span.high else f"{span.low}-{span.high}" for span in ranges)


def _quote(text: str) -> str:
    return repr(text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…")
