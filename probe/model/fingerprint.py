"""What is known beforehand of block pages and forged addresses: values that judgement may lean on, with their version.

Source: the columns and scopes are those of OONI's blocking-fingerprints files, so their CSVs can be read as they are.
"""

from enum import StrEnum

import msgspec


class FoundIn(StrEnum):
    """Which part of an answer a fingerprint looks at."""

    BODY = "body"
    TITLE = "title"
    HEADER = "header"
    DNS = "dns"


class Matching(StrEnum):
    """How a fingerprint's pattern is compared."""

    CONTAINS = "contains"
    PREFIX = "prefix"
    FULL = "full"
    REGEXP = "regexp"


NATIONAL = frozenset({"nat", "isp", "gov"})
"""Scopes whose block pages a country or its providers show, not a school, a firm or a product that anyone can buy."""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """One known page, header or answer."""

    name: str
    scope: str
    """`nat`, `isp`, `prod`, `inst`, `vbw`; `fp` = known false positive: a match suppresses. Empty = not said."""
    found_in: FoundIn
    header: str = ""
    """Lower-case header name when `found_in` is a header."""
    matching: Matching = Matching.CONTAINS
    pattern: str
    expected_countries: tuple[str, ...] = ()
    """Empty = seen anywhere: a match alone never settles anything."""

    @property
    def suppresses(self) -> bool:
        """Tell whether a match means "not a block page"."""
        return self.scope == "fp"

    def settles_in(self, country: str) -> bool:
        """Tell whether a match seen from a country is that country's own block page."""
        return self.scope in NATIONAL and country in self.expected_countries


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known beforehand."""

    version: str = "none"
    fingerprints: tuple[Fingerprint, ...] = ()
    forged_addresses: frozenset[str] = frozenset()
    """Addresses that DNS injectors are known to answer with."""
