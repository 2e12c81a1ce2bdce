"""What `check` prints of endpoints of one file: one report together, and with `--wait` a first and a last one."""

import msgspec

from probe.cli.printing import Printer
from probe.model.target import GroupMode
from probe.model.verdict import Status
from tests.unit.export.test_group_report import run

MEMBERS = [
    msgspec.structs.replace(made, target=msgspec.structs.replace(made.target, group="o.ovpn", group_mode=GroupMode.ANY))
    for made in (run("udp", 1194), run("tcp", 443, status=Status.OK))
]
ALONE = run("tcp", 9)


def make(*, as_json=False, verbose=False):
    return Printer([m.target for m in (*MEMBERS, ALONE)], as_json=as_json, verbose=verbose)


def test_endpoints_of_a_file_are_told_together_at_the_end(capsys):
    printer = make()
    for measurement in (*MEMBERS, ALONE):
        printer.show(measurement, final=True)
    shown = capsys.readouterr().out
    assert "o.ovpn" not in shown
    assert "vpn.office.example:9" in shown
    assert printer.show_groups([*MEMBERS, ALONE]) == [Status.DEGRADED]
    assert "o.ovpn   2 endpoints, 1 answered" in capsys.readouterr().out
    assert printer.grouped == {m.target.id for m in MEMBERS}


def test_who_waits_sees_the_first_verdict_once_every_endpoint_has_one(capsys):
    printer = make()
    printer.show(MEMBERS[0], final=False)
    assert capsys.readouterr().out == ""
    printer.show(MEMBERS[1], final=True)
    assert "o.ovpn   2 endpoints" in capsys.readouterr().out
    printer.show(MEMBERS[0], final=False)
    printer.show(MEMBERS[0], final=True)
    assert capsys.readouterr().out == "", "the last word comes at the end"


def test_json_is_one_object_for_each_endpoint_and_one_for_the_group(capsys):
    printer = make(as_json=True)
    printer.show(MEMBERS[0], final=False)
    for measurement in MEMBERS:
        printer.show(measurement, final=True)
    printer.show_groups(MEMBERS)
    rows = [msgspec.json.decode(line) for line in capsys.readouterr().out.splitlines()]
    assert [row.get("group") or row["target_id"] for row in rows] == [*(m.target.id for m in MEMBERS), "o.ovpn"]
    assert rows[-1]["mode"] == "any"
    assert rows[-1]["status"] == "degraded"
