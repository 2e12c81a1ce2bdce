import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.knowledge import load_knowledge, load_reference, registrable_domain
from probe.knowledge.asn import AsnLookup, read_asn
from probe.knowledge.fingerprints import parse_fingerprints
from probe.knowledge.forged import parse_forged
from probe.model.errors import UserError
from probe.model.fingerprint import FoundIn, Matching
from probe.model.settings import Settings
from probe.net.context import unknown_asn

HEAD = (
    "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,"
    "expected_countries,source,exp_url,notes\n"
)


def test_our_own_reference_is_whole_and_has_a_version():
    reference, errors = load_reference()
    assert errors == ()
    assert reference.version.startswith("own-")
    assert len(reference.fingerprints) >= 25
    assert len({fingerprint.name for fingerprint in reference.fingerprints}) == len(reference.fingerprints)
    assert {"10.10.34.34", "8.7.198.46"} <= reference.forged_addresses
    for fingerprint in reference.fingerprints:
        national = fingerprint.scope in ("nat", "isp")
        assert bool(fingerprint.expected_countries) == national, fingerprint.name


def test_body_phrases_are_long_enough_to_be_nobody_elses():
    reference, _ = load_reference()
    for fingerprint in reference.fingerprints:
        if fingerprint.found_in is FoundIn.BODY and not fingerprint.suppresses:
            assert len(fingerprint.pattern) >= 18, fingerprint.name


def test_oonis_columns_are_read():
    rows = (
        'a,nat,,body,contains,"<b>blocked, by law</b>",10,"IR,RU",s,u,n\n'
        "b,isp,,header.Location,prefix,http://block.example,10,ID,s,u,n\n"
        "c,fp,,body,regexp,^x+$,10,,s,u,n\n"
        "d,nat,,dns,full,192.0.2.1,10,TR,s,u,n\n"
    )
    (a, b, c, d), errors = parse_fingerprints(HEAD + rows, "f.csv")
    assert errors == ()
    assert (a.pattern, a.expected_countries) == ("<b>blocked, by law</b>", ("IR", "RU"))
    assert (b.found_in, b.header, b.matching) == (FoundIn.HEADER, "location", Matching.PREFIX)
    assert c.suppresses
    assert (d.found_in, d.pattern) == (FoundIn.DNS, "192.0.2.1")


@pytest.mark.parametrize(
    "row",
    [
        "a,nat,,cookie,full,x,,,,,",
        "a,nat,,body,fuzzy,x,,,,,",
        "a,nat,,body,regexp,(,,,,,",
        "a,nat,,body,full, ,,,,,",
        "a,alien,,body,full,x,,,,,",
        "a,nat,,header,full,x,,,,,",
        "a",
    ],
)
def test_a_bad_row_is_one_error_and_the_rest_is_read(row):
    found, errors = parse_fingerprints(f"{HEAD}{row}\nb,isp,,body,full,x,,ID,,,\n", "f.csv")
    assert [fingerprint.name for fingerprint in found] == ["b"]
    assert len(errors) == 1
    assert str(errors[0]).startswith("f.csv:2: no fingerprint: ")


@pytest.mark.parametrize("scope", ["injb", "prov", ""])
def test_scopes_that_their_files_hold_besides_are_read_and_settle_nothing(scope):
    (found,), errors = parse_fingerprints(f"{HEAD}a,{scope},,dns,full,x,5,ID,,,\n", "f.csv")
    assert not errors
    assert not found.settles_in("ID")


def test_a_country_that_is_not_known_matches_none():
    (found,), _ = parse_fingerprints(f'{HEAD}a,nat,,body,contains,x,5,",ZZ,GR",,,\n', "f.csv")
    assert found.expected_countries == ("GR",)
    assert found.settles_in("GR")
    assert not found.settles_in("ZZ")


def test_their_two_files_may_be_joined_or_named_one_after_the_other(tmp_path):
    dns = HEAD + "a,nat,,dns,full,blocked.isp.example,5,ID,,,\n"
    http = HEAD + 'b,isp,,body,contains,"two\nlines",5,RU,,,\n'
    paths = [tmp_path / name for name in ("dns.csv", "http.csv", "both.csv")]
    for path, text in zip(paths, (dns, http, dns + http), strict=True):
        path.write_text(text)
    apart, joined = load_reference(str(paths[0]), str(paths[1])), load_reference(str(paths[2]))
    assert apart[1] == joined[1] == ()
    assert apart[0].fingerprints == joined[0].fingerprints
    assert [found.pattern for found in joined[0].fingerprints[-2:]] == ["blocked.isp.example", "two\nlines"]


def test_a_file_of_the_operator_is_added_and_changes_the_version(tmp_path):
    path = tmp_path / "prints.csv"
    path.write_text(HEAD + "mine,isp,,body,contains,xyz,,DE,,,\nbad\n")
    with load_knowledge(Settings(fingerprints_file=str(path))) as knowledge:
        assert knowledge.reference.fingerprints[-1].name == "mine"
        assert knowledge.reference.version != load_reference()[0].version
        assert len(knowledge.errors) == 1


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
def test_a_file_without_the_columns_is_refused(tmp_path, content):
    path = tmp_path / "prints.csv"
    path.write_text(content)
    with pytest.raises(UserError, match="no column is called"):
        load_reference(str(path))


def test_without_a_file_no_as_is_known():
    with load_knowledge(Settings()) as knowledge:
        assert knowledge.asn_of is unknown_asn


@pytest.mark.parametrize("content", [None, b"", b"no mmdb"])
def test_a_file_that_is_no_mmdb_is_one_line(tmp_path, content):
    path = tmp_path / "asn.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="no AS data"):
        AsnLookup.open(str(path))


class FakeReader:
    """Answers like an mmdb file."""

    def get(self, address: str) -> object:
        if address == "2001:db8::1":
            raise ValueError("IPv6 address in an IPv4 file")
        return {
            "192.0.2.1": {"autonomous_system_number": 64496},
            "192.0.2.2": {"asn": "AS64497"},
            "192.0.2.3": {"other": 1},
            "192.0.2.4": "text",
        }.get(address)

    def close(self) -> None:
        pass


def test_an_as_is_read_from_the_fields_that_providers_use():
    with AsnLookup(FakeReader()) as lookup:
        addresses = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "2001:db8::1")
        assert [lookup.asn_of(address) for address in addresses] == [64496, 64497, 0, 0, 0, 0]


@pytest.mark.parametrize(("value", "asn"), [(1, 1), ("as2", 2), ("AS", 0), (-1, 0), (2**32, 0), (None, 0), ([], 0)])
def test_an_as_number_is_read_in_each_of_its_forms(value, asn):
    assert read_asn(value) == asn


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("www.example.co.uk", "example.co.uk"),
        ("a.b.github.io", "b.github.io"),
        ("com", "com"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("xn--d1acpjx3f.xn--p1ai", "xn--d1acpjx3f.xn--p1ai"),
    ],
)
def test_the_registrable_domain_is_what_an_owner_registered(name, domain):
    assert registrable_domain(name) == domain


def test_forged_addresses_are_in_canonical_form():
    assert parse_forged("# c\naddress,x\n2001:DB8::0:1,y\n") == {"2001:db8::1"}


@given(st.text(max_size=200))
def test_any_text_is_fingerprints_and_errors(text):
    for candidate in (text, HEAD + text):
        try:
            found, errors = parse_fingerprints(candidate, "f")
        except UserError:
            continue
        assert len(found) + len(errors) <= candidate.count("\n") + candidate.count("\r") + 2
