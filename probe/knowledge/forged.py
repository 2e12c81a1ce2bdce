"""Addresses that DNS injectors are known to answer with, whatever was asked. Source: the file beside this one."""

import csv
import io
import ipaddress


def parse_forged(text: str) -> frozenset[str]:
    """Return the addresses in canonical form.

    Raises:
        ValueError: a row holds no address: the file is our own, so that is our own mistake.
    """
    rows = csv.DictReader(line for line in io.StringIO(text) if not line.startswith("#"))
    return frozenset(str(ipaddress.ip_address(row["address"])) for row in rows)
