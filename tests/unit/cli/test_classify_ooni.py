import gzip
import io
import json
import sys

import pytest

from probe.__main__ import run_command
from tests.unit.protocols.ooni_worlds import make_worlds

WORLDS = make_worlds()


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.jsonl"
    path.write_text("".join(json.dumps(world) + "\n" for world in WORLDS.values()))
    return path


def judge(capsysbinary, *arguments: str) -> tuple[int, list[dict], list[str]]:
    code = run_command(["classify", "--ooni", *arguments])
    captured = capsysbinary.readouterr()
    return code, [json.loads(line) for line in captured.out.splitlines()], captured.err.decode().splitlines()


def test_each_measurement_gives_one_line_with_both_verdicts(capsysbinary, report):
    code, rows, errors = judge(capsysbinary, str(report))
    assert (code, errors) == (0, [])
    assert [row["input"] for row in rows] == [world["input"] for world in WORLDS.values()]
    assert set(rows[0]) == {"input", "measurement_start_time", "probe_asn", "probe_cc", "ours", "ooni"}
    assert set(rows[0]["ours"]) == {"status", "patterns", "cause", "confidence", "rule_id"}
    by_name = dict(zip(WORLDS, rows, strict=True))
    assert by_name["successWithHTTPS"]["ours"]["status"] == "ok"
    assert by_name["redirectThenSuccess"]["ours"]["status"] == "ok"
    assert by_name["tcpBlockingConnectTimeout"]["ooni"] == {"blocking": "tcp_ip", "accessible": False}


def test_a_world_without_interference_is_never_called_blocked(capsysbinary, report):
    _, rows, _ = judge(capsysbinary, str(report))
    clean = {"badSSL", "cloudflare", "success", "websiteDown", "controlFailure", "redirectThenSuccess"}
    for name, row in zip(WORLDS, rows, strict=True):
        if name.startswith(tuple(clean)):
            assert row["ours"]["status"] not in ("blocked", "likely_blocked"), name


def test_gzip_single_json_and_standard_input_are_read_alike(capsysbinary, report, tmp_path, monkeypatch):
    packed, single = tmp_path / "packed.gz", tmp_path / "single.json"
    packed.write_bytes(gzip.compress(report.read_bytes()))
    single.write_text(json.dumps(WORLDS["successWithHTTPS"], indent=2))
    _, plain, _ = judge(capsysbinary, str(report))
    assert judge(capsysbinary, str(packed))[1] == plain
    assert len(judge(capsysbinary, str(single))[1]) == 1
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(packed.read_bytes()))))
    assert judge(capsysbinary, "-")[1] == plain


def test_what_is_malformed_is_one_error_each_and_the_rest_is_judged(capsysbinary, tmp_path):
    good = json.dumps(WORLDS["successWithHTTPS"])
    path = tmp_path / "mixed.jsonl"
    lines = [good, "{broken", "", '{"test_name": "telegram", "test_keys": {}}', good[:500], good]
    path.write_text("\n".join(lines))
    code, rows, errors = judge(capsysbinary, str(path), str(tmp_path / "missing.json"))
    assert (code, len(rows), len(errors)) == (2, 2, 4)
    assert [error.rsplit("mixed.jsonl:", 1)[1].split(":")[0] for error in errors[:3]] == ["2", "4", "5"]
    assert "cannot be read" in errors[3]


def test_a_cut_gzip_gives_what_came_before_the_cut(capsysbinary, report, tmp_path):
    path = tmp_path / "cut.jsonl.gz"
    packed = gzip.compress(report.read_bytes() * 4)
    path.write_bytes(packed[: len(packed) * 2 // 3])
    code, rows, errors = judge(capsysbinary, str(path))
    assert code == 2
    assert len(rows) > 10
    assert "gzip stream is cut" in errors[-1]


@pytest.mark.parametrize(
    ("name", "status", "pattern"),
    [
        ("badSSLWithUnknownAuthorityWithConsistentDNS", "server_side", "srv.cert_untrusted"),
        ("badSSLWithWrongServerName", "server_side", "srv.cert_name"),
        ("cloudflareCAPTCHAWithHTTP", "ok", "srv.challenge"),
        ("controlFailureWithSuccessfulHTTPSWebsite", "ok", ""),
        ("controlFailureWithSuccessfulHTTPWebsite", "insufficient", ""),
        ("dnsBlockingBOGON", "likely_blocked", "dns.injection.bogon"),
        ("dnsBlockingNXDOMAIN", "likely_blocked", "dns.nxdomain"),
        ("dnsHijackingToLocalhostWithHTTPS", "likely_blocked", "dns.injection.bogon"),
        ("dnsHijackingToProxyWithHTTPSURL", "ok", ""),
        ("ghostDNSBlockingWithHTTPS", "down", "srv.no_such_name"),
        ("httpBlockingConnectionReset", "likely_blocked", "http.reset"),
        ("httpDiffWithConsistentDNS", "impaired", "http"),
        ("redirectThenSuccess", "ok", ""),
        ("successWithHTTP", "ok", ""),
        ("successWithHTTPS", "ok", ""),
        ("tcpBlockingConnectTimeout", "likely_blocked", "ip"),
        ("tlsBlockingConnectionReset", "likely_blocked", "tls.reset"),
        ("websiteDownNXDOMAIN", "down", "srv.no_such_name"),
        ("websiteDownTCPConnect", "down", "srv.down"),
    ],
)
def test_a_world_is_judged_by_what_the_probe_and_its_control_saw(capsysbinary, tmp_path, name, status, pattern):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(WORLDS[name]))
    ours = judge(capsysbinary, str(path))[1][0]["ours"]
    assert (ours["status"], ours["patterns"]) == (status, [pattern] if pattern else [])


def test_what_the_control_was_not_asked_about_stays_open(capsysbinary, report):
    _, rows, _ = judge(capsysbinary, str(report))
    for name, row in zip(WORLDS, rows, strict=True):
        if name.startswith("redirectThen") and name != "redirectThenSuccess":
            assert row["ours"]["status"] == "insufficient", name


def test_fingerprint_files_are_used_and_their_bad_rows_told(capsysbinary, tmp_path):
    head = "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries,source\n"
    http, dns, world = tmp_path / "http.csv", tmp_path / "dns.csv", tmp_path / "world.json"
    http.write_text(head + "mine,isp,,body,contains,Access Denied</title>,5,IT,me\nbad,isp,,body,fuzzy,x,5,IT,me\n")
    dns.write_text(head + "page,nat,,dns,full,31.13.94.41,5,IT,me\n")
    world.write_text(json.dumps(WORLDS["httpDiffWithConsistentDNS"]))
    _, rows, errors = judge(capsysbinary, "--fingerprints", str(http), "--fingerprints", str(dns), str(world))
    assert (rows[0]["ours"]["status"], rows[0]["ours"]["patterns"]) == ("likely_blocked", ["http.blockpage"])
    assert len(errors) == 1
    assert "http.csv:3: no fingerprint" in errors[0]
