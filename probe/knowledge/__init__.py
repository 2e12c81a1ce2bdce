"""What is known beforehand, as frozen values with a version: AS data, suffixes, fingerprints, forged addresses."""

from probe.knowledge.asn import AsnLookup
from probe.knowledge.reference import Knowledge, load_knowledge, load_reference
from probe.knowledge.suffixes import registrable_domain

__all__ = ["AsnLookup", "Knowledge", "load_knowledge", "load_reference", "registrable_domain"]
