"""Reads block page fingerprints from CSV.

Source: the columns of OONI's blocking-fingerprints: name, scope, other_names, location_found (`body`, `title`, `dns`,
`header.location`, ...), pattern_type (`contains`, `prefix`, `full`, `regexp`), pattern, confidence_no_fp,
expected_countries, source, exp_url, notes. Of these, what a match needs is kept.
"""

import csv
import io
import re

from probe.model.errors import UserError
from probe.model.fingerprint import Fingerprint, FoundIn, Matching

COLUMNS = ("name", "scope", "location_found", "pattern_type", "pattern", "expected_countries")
SCOPES = frozenset(
    {"nat", "isp", "prod", "inst", "vbw", "fp", "gov", "cdn", "server", "injec", "injb", "prov", ""}
)  # fmt: skip
_NOWHERE = "ZZ"
"""What stands for "not known" in their lists as in a vantage of ours: it is no country that could match."""
_COUNTRIES = re.compile(r"[^A-Za-z]+")


def parse_fingerprints(text: str, file: str) -> tuple[tuple[Fingerprint, ...], tuple[UserError, ...]]:
    """Return the fingerprints, and one error for each row that is none.

    Raises:
        UserError: columns are missing.
    """
    reader = csv.DictReader(io.StringIO(text.replace("\x00", ""), newline=""), restval="")
    found: list[Fingerprint] = []
    errors: list[UserError] = []
    try:
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise UserError(file, f"no column is called {', '.join(missing)}", "give OONI's fingerprints CSV")
        for row in reader:
            if all(row[column] == column for column in COLUMNS):
                continue  # their two files, joined
            try:
                found.append(_read_row(row))
            except ValueError as error:
                remedy = "mend or remove the row"
                errors.append(UserError(f"{file}:{reader.line_num}", f"no fingerprint: {error}", remedy))
    except csv.Error as error:
        errors.append(
            UserError(f"{file}:{reader.line_num}", f"not CSV: {error}", "close the quotes; the rest is not read")
        )
    return tuple(found), tuple(errors)


def _read_row(row: dict[str, str]) -> Fingerprint:
    """Read one row.

    Raises:
        ValueError: a column holds what we do not know; the message names it.
    """
    place, _, header = row["location_found"].strip().lower().partition(".")
    found_in = FoundIn(place)
    if found_in is FoundIn.HEADER and not header:
        raise ValueError("location_found names no header")
    matching = Matching(row["pattern_type"].strip().lower())
    pattern = row["pattern"]
    if not pattern.strip():
        raise ValueError("the pattern is empty")
    if matching is Matching.REGEXP:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"pattern: {error}") from None
    scope = row["scope"].strip().lower()
    if scope not in SCOPES:
        raise ValueError(f"scope {scope[:20]!r} is not known")
    return Fingerprint(
        name=row["name"].strip(),
        scope=scope,
        found_in=found_in,
        header=header,
        matching=matching,
        pattern=pattern,
        expected_countries=tuple(
            code.upper()
            for code in _COUNTRIES.split(row["expected_countries"])
            if len(code) == 2 and code.upper() != _NOWHERE
        ),
    )
