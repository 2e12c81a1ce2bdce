"""Aliases in the place of addresses, names and ports: in texts, in targets and in whole measurements."""

import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.measurement import Measurement
from probe.model.observation import (
    DialogueExchange,
    DNSAnswer,
    DNSLookup,
    DNSReply,
    Message,
    Resolver,
    TCPConnect,
    TLSHandshake,
    TLSStage,
    Transport,
)
from probe.model.target import CheckName
from probe.model.vantage import Vantage
from probe.model.verdict import Status, Verdict
from probe.targets.address import parse_address
from probe.targets.aliases.alias import Aliases
from probe.targets.aliases.scrubbing import Words
from probe.targets.aliases.veil import Veil
from probe.targets.secret_places import Given
from probe.targets.tunnels import load_tunnels

KEY = bytes(range(32))
LINK = "trojan://PLANTED@gate.office.example:31194?sni=front.other.example&path=/ws"
V4, V6, INNER = "192.0.2.77", "2001:db8:77::9", "192.0.2.78"


def words(*, ports=(31194,)):
    found = Words()
    aliases = Aliases(lambda: KEY)
    for text in (V4, V6, "gate.office.example"):
        aliases.hide(found, text, "office")
    for port in ports:
        found.hide_port(port)
    return found, aliases.literal(V4), aliases.literal(V6)


def test_addresses_names_and_ports_are_hidden_wherever_they_stand():
    hidden, four, six = words()
    for text, wanted in {
        f"{V4}:31194": f"{four}:0",
        f"{V4}:443": f"{four}:443",
        f"to {V4}, then": f"to {four}, then",
        f"service.none.{V4}:443.0.1": f"service.none.{four}:443.0.1",
        f"try:0.{V4}:31194.1": f"try:0.{four}:0.1",
        f"[{V6}]:31194": f"[{six}]:0",
        f"reply from {V6.upper()}.": f"reply from {six}.",
        "/etc/gate.office.example.ovpn": "/etc/office.ovpn",
        "GATE.office.example.": "office.",
        "a.gate.office.example is no *.office.example": "office is no office",
        "connect to port 31194": "connect to port 0",
        "https://gate.office.example:31194/x": "https://office:0/x",
    }.items():
        assert hidden.scrub(text) == wanted


def test_what_only_looks_like_it_stays():
    hidden, *_ = words(ports=(443,))
    for text in (f"1{V4}", f"{V4}1", "mygate-office.example", "131194", "status 443", ""):
        assert hidden.scrub(text) == text
    hidden, *_ = words()
    assert hidden.scrub("31194 runs", bare_ports=False) == "31194 runs", "a log's figures are no ports"


def test_a_name_without_a_dot_is_hidden_where_it_is_all_that_stands_there():
    hidden = Words()
    hidden.hide_name("gateway", "office")
    assert [hidden.scrub(text) for text in ("Gateway", "the gateway's hello")] == ["office", "the gateway's hello"]


@given(
    st.text(alphabet=string.printable, max_size=30),
    st.text(alphabet=string.printable, max_size=30),
    st.sampled_from([V4, V6, f"{V4}:31194", f"[{V6}]:31194", "gate.office.example"]),
)
def test_between_any_words_nothing_is_left(before, after, secret):
    hidden, *_ = words()
    shown = hidden.scrub(f"{before} {secret} {after}").lower()
    for word in (V4, V6, "gate.office.example", f"{V4}:31194"):
        assert f" {word} " not in f" {shown} "


@given(
    st.recursive(
        st.none() | st.integers() | st.binary() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_values_of_any_shape_keep_their_shape(value):
    hidden, *_ = words()
    shown = hidden.cover(value, "field")
    assert type(shown) is type(value) or isinstance(value, tuple)


def test_literals_are_of_the_same_family_and_of_nobody():
    aliases, others = Aliases(lambda: KEY), Aliases(lambda: bytes(32))
    assert aliases.literal(V4) == aliases.literal(V4) != others.literal(V4)
    assert aliases.literal(V4) != aliases.literal(INNER)
    assert 240 <= int(aliases.literal(V4).split(".", maxsplit=1)[0]) <= 255
    assert aliases.literal(V6).startswith("2001:db8:")
    assert aliases.literal("gate.office.example") == ""


def cover(link=LINK, **traits):
    veil, memory = Veil(lambda: KEY, everything=True), Given()
    target = msgspec.structs.replace(parse_address(link, keep=memory.keep), **traits)
    return veil, target, veil.cover_target(target)


def test_a_target_goes_out_without_anything_that_says_where_it_is():
    veil, target, shown = cover(labels={"team": "a"}, group="mine")
    text = msgspec.json.encode(shown).decode()
    for word in ("gate", "office", "other.example", "31194", "/ws"):
        assert word not in text
    assert shown.id.startswith("trojan-")
    assert (shown.group, shown.labels, shown.interval_s) == ("mine", {"team": "a"}, target.interval_s)
    assert veil.lift(shown).host == "gate.office.example"
    assert veil.lift(shown).secrets == target.secrets
    assert veil.lift(shown).id == shown.id
    assert veil.cover_target(shown) == shown, "what is covered stays"


def test_what_a_command_adds_reaches_the_run():
    veil, _, shown = cover()
    asked = msgspec.structs.replace(shown, params={**shown.params, "login": "1", "depth": "data"}, worked="2026-11-20")
    lifted = veil.lift(asked)
    assert (lifted.params["login"], lifted.params["depth"], lifted.worked) == ("1", "data", "2026-11-20")
    assert lifted.params["sni"] == "front.other.example"


def test_aliases_of_their_owners_are_kept_and_numbered():
    veil, memory = Veil(lambda: KEY), Given()
    links = [f"trojan://PLANTED@gate.office.example:{port}" for port in (31194, 31195)]
    targets = [msgspec.structs.replace(parse_address(link, keep=memory.keep), alias="Office") for link in links]
    site = parse_address("https://www.example.org")
    shown = veil.cover_targets([targets[0], site, targets[1]])
    assert [target.address for target in shown] == ["Office-1", "https://www.example.org", "Office-2"]
    again = Veil(lambda: bytes(32)).cover_targets([targets[0], targets[1]])
    assert [t.id for t in again] == [shown[0].id, shown[2].id], "the same on every vantage"
    (alone,) = Veil(lambda: KEY).cover_targets(targets[:1])
    assert alone.address == "Office"


def test_a_group_that_is_called_after_a_member_has_another_name_for_all_of_them():
    veil, memory = Veil(lambda: KEY, everything=True), Given()
    links = ("trojan://PLANTED@gate.office.example:31194", "trojan://PLANTED@192.0.2.9:443")
    for group, told in (("gate.office.example.ovpn", False), ("office.ovpn", True)):
        targets = [
            msgspec.structs.replace(
                parse_address(link, keep=memory.keep), group=group, labels={"at": "gate.office.example"}, source=group
            )
            for link in links
        ]
        shown = veil.cover_targets(targets)
        assert len({target.group for target in shown}) == 1, "they stay together"
        assert (shown[0].group == group) is told
        assert "gate.office" not in msgspec.json.encode(shown[:1]).decode()


def test_a_file_that_cannot_be_read_is_not_named_either(tmp_path):
    path = tmp_path / "gate.other.example.ovpn"
    path.write_text("client\nremote 192.0.2.9 1194\n<tls-crypt>\nPLANTED\n</tls-crypt>\n")
    veil = Veil(lambda: KEY, everything=True)
    (shown,) = veil.cover_targets(load_tunnels(str(path)).targets)
    real = veil.lift(shown)
    failure = Failure(
        stage=Stage.DIALOGUE, code=FailureCode.CREDENTIALS_MISSING, detail=f"entry:{path}#0.key cannot be read"
    )
    seen = Measurement(
        id="01" + "C" * 24, target=real, vantage=Vantage(), started_at=1.0, runtime_s=0.4,
        observations=(msgspec.structs.replace(FOUND[-1], failure=failure),),
        verdict=Verdict(status=Status.INSUFFICIENT),
    )  # fmt: skip
    (exchange,) = veil.cover(seen).observations
    assert exchange.failure is not None
    assert exchange.failure.detail == "entry:the file#0.key cannot be read"


def test_tunnels_without_an_alias_are_shown_unless_all_are_hidden():
    veil = Veil(lambda: KEY)
    target = parse_address("openvpn://192.0.2.1:1194")
    assert veil.cover_targets([target]) == (target,)
    assert veil.lift(target) is target


FOUND = (
    DNSLookup(
        transaction=1, t0_s=0.0, t_s=0.1, resolver=Resolver(transport=Transport.UDP), name="gate.office.example",
        query_type="A",
        replies=(
            DNSReply(
                t_s=0.1, raw=b"\x04gate\x06office",
                answers=(
                    DNSAnswer(type="CNAME", value="edge.host.example", ttl_s=5),
                    DNSAnswer(type="A", value=V4, ttl_s=5),
                ),
            ),
        ),
    ),
    TCPConnect(transaction=2, t0_s=0.1, t_s=0.2, endpoint=Endpoint(address=V4, port=31194)),
    TLSHandshake(
        transaction=3, t0_s=0.2, t_s=0.3, endpoint=Endpoint(address=V4, port=31194), server_name="front.other.example",
        stage=TLSStage.DONE, chain=(b"DER of gate.office.example",), verify_message="no name edge.host.example in it",
    ),
    DialogueExchange(
        transaction=4, t0_s=0.3, t_s=0.4, endpoint=Endpoint(address=V4, port=31194), protocol="trojan",
        transport="tcp+tls", reply={"host": "inside", "answer": f"by {V4}", "host_key": "ab12"},
        refused=f"not from {V4}",
        messages=(Message(sent=True, t_s=0.3, length=20, data=b"Host: gate.office.ex"),),
        failure=Failure(stage=Stage.DIALOGUE, code=FailureCode.TIMEOUT, detail=f"nothing from {V4}:31194"),
    ),
)  # fmt: skip


@pytest.fixture
def covered():
    veil, target, shown = cover()
    seen = Measurement(
        id="01" + "A" * 24, target=veil.lift(shown), vantage=Vantage(), started_at=1.0, runtime_s=0.4,
        observations=FOUND, verdict=Verdict(status=Status.INSUFFICIENT, summary=f"{V4} says nothing"),
    )  # fmt: skip
    return seen, veil.cover(seen), shown, target


def test_a_measurement_goes_out_with_its_shape_and_without_its_places(covered):
    seen, out, shown, _ = covered
    text = msgspec.json.encode(out).decode()
    for word in ("gate", "office", "other.example", "host.example", V4, "31194", "inside", "ab12"):
        assert word not in text, word
    assert out.target == shown
    assert [type(o) for o in out.observations] == [type(o) for o in seen.observations]
    lookup, connect, handshake, exchange = out.observations
    assert isinstance(lookup, DNSLookup)
    assert isinstance(connect, TCPConnect)
    assert isinstance(handshake, TLSHandshake)
    assert isinstance(exchange, DialogueExchange)
    assert lookup.addresses == (connect.endpoint.address,), "who compares them finds them equal"
    assert connect.endpoint.port == 0
    assert handshake.chain == ()
    assert exchange.messages[0] == Message(sent=True, t_s=0.3, length=20)
    assert exchange.failure is not None
    assert exchange.failure.code is FailureCode.TIMEOUT
    assert (seen.id, seen.started_at) == (out.id, out.started_at)


def test_a_measurement_of_others_is_handed_through():
    veil, *_ = cover()
    site = parse_address("https://www.example.org")
    assert site.check is CheckName.WEB
    other = Measurement(
        id="01" + "B" * 24, target=site, vantage=Vantage(), started_at=1.0, runtime_s=0.4, observations=(),
        verdict=Verdict(status=Status.OK),
    )  # fmt: skip
    assert veil.cover(other) is other


def test_a_log_line_is_read_without_places_that_were_met(covered):
    _, _, _, _ = covered
    veil, target, _ = cover()
    assert veil.text("at gate.office.example, 5 runs") != "at gate.office.example, 5 runs"
    assert Veil(lambda: KEY).text("at gate.office.example") == "at gate.office.example"
    assert target.host == "gate.office.example"


def test_references_are_found_again_by_what_stored_runs_call_them():
    veil = Veil(lambda: KEY, everything=True)
    one = parse_address("openvpn://192.0.2.1:1194")
    two, three = (parse_address(f"openvpn://192.0.2.2:{port}") for port in (1194, 443))
    veil.cover_references([one, two, three])
    places = veil.find_references([one, two, three])
    assert list(places.values()) == ["192.0.2.1:1194"], "two at one address cannot be told apart, so neither is known"
    assert Veil(lambda: KEY).find_references([one]) == {}
