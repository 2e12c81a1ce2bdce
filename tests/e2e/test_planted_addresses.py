"""Where tunnels lead is found nowhere when they are shown under aliases: no address, no name, no port.

They are asked all the same: what is planted is met on the wire, and the runs come to the verdicts they would come to.
"""

import base64
import re
import stat
from pathlib import Path

import msgspec
import pytest

from tests.e2e.conftest import Stage
from tests.e2e.test_check import objects

NAMES = ("vpn.wall.example", "closed.wall.example", "silent.wall.example")
ADDRESSES = ("45.90.3.1", "45.90.5.1", "45.90.6.1")
PORTS = ("31194", "31195", "31196", "31197", "31198", "31199")
LINKS = (
    f"trojan://PLANTED-1@closed.wall.example:{PORTS[0]}?sni=closed.wall.example",
    f"vless://0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0@45.90.5.1:{PORTS[1]}?security=none",
    f"trojan://PLANTED-2@silent.wall.example:{PORTS[2]}",
)
GATEWAY = "anyconnect://vpn.wall.example:443"
OVPN = f"""client
remote closed.wall.example {PORTS[3]} tcp
remote 45.90.6.1 {PORTS[4]} udp
<tls-crypt>
-----BEGIN OpenVPN Static key V1-----
{"c0ffee5ec2e7c0ffee5ec2e7c0ffee5e" * 16}
-----END OpenVPN Static key V1-----
</tls-crypt>
"""
ALIASES = f"privacy: {{tunnels: alias}}\nreferences: ['openvpn://45.90.5.1:{PORTS[5]}?proto=tcp']\n"


def assert_clean(text: bytes, where: str) -> None:
    for word in (*NAMES, *ADDRESSES, *PORTS):
        raw = word.encode()
        coded = [base64.b64encode(bytes(shift) + raw)[4:-4] for shift in (0, 1, 2)]
        for form in (raw, *(c for c in coded if len(c) >= 8)):
            if found := re.search(rb"(?<![0-9])" + re.escape(form) + rb"(?![0-9])", text):
                around = text[max(0, found.start() - 150) : found.end() + 80]
                pytest.fail(f"{form!r} is in {where}: …{around!r}…")


@pytest.fixture
def told(stage: Stage) -> Stage:
    stage.put("https://site-2.wall.example", LINKS[0], GATEWAY)
    (stage.folder / "links.txt").write_text("\n".join(LINKS))
    (stage.folder / "closed.wall.example.ovpn").write_text(OVPN)
    config = stage.configure(more=ALIASES)
    uris = f"  - uri: {stage.folder}/links.txt\n  - {{uri: {stage.folder}/closed.wall.example.ovpn, alias: office}}\n"
    listed = f"targets: [{{file: {stage.folder}/sites.txt}}]"
    config.write_text(
        config.read_text()
        .replace("limits: {", "limits: {handshakes_apart: 100ms, ")
        .replace(listed, f"targets:\n  - file: {stage.folder}/sites.txt\n{uris}")
    )
    return stage


def test_a_daemon_shows_no_address_of_a_tunnel_anywhere(told: Stage, start) -> None:
    config = ("--config.file", str(told.folder / "wallprobe.yml"))
    daemon = start("--log.level", "debug", "--log.prober", "debug")
    daemon.wait_for(lambda: len(re.findall(r"wallprobe_check_runs_total{[^}]*} [1-9]", daemon.metrics())) >= 7, 90)
    pages = ["/metrics", "/", "/events", "/vantage", "/api/v1/targets", "/api/v1/events", "/api/v1/measurements"]
    pages += ["/api/v1/heatmap", "/api/v1/vantage"]
    targets = msgspec.json.decode(told.get("/api/v1/targets")[1])["targets"]
    ids = [target["id"] for target in targets]
    pages += [f"/targets/{one}" for one in ids] + [f"/probe?target={one}&debug=true" for one in ids]
    pages += [f"/api/v1/measurements?target={one}" for one in ids]
    kept = re.findall(r'"id":"(01[0-9A-Z]{24})"', told.get("/api/v1/measurements")[1])[:20]
    pages += [f"/api/v1/measurements/{one}" for one in kept]
    shown = {path: told.get(path)[1] for path in pages}
    daemon.stop()
    for path, text in shown.items():
        assert_clean(text.encode(), path)
    assert {"office-1", "office-2"} <= {target["address"] for target in targets}
    assert_clean(daemon.log.encode(), "the log")
    asked = [m for m in told.stored() if m.target.params.get("protocol")]
    assert {m.target.params["protocol"] for m in asked} >= {"trojan", "vless", "openvpn"}
    for measurement in told.stored():
        assert_clean(msgspec.json.encode(measurement), f"the database: {measurement.target.address}")
    for path in (told.folder / "state").rglob("*"):
        if path.is_file():
            assert_clean(path.read_bytes(), str(path))
    commands = [
        ("export", "--format", "ooni"), ("export", "--format", "openmetrics", "--since", "1h"),
        ("report", "--since", "1h", "--format", "html"), ("report", "--since", "1h", "--format", "csv"),
        ("report", "--since", "1h", "--format", "json"), ("targets", "list"),
        ("reclassify",), ("reclassify", "--json"),
        *(("history", "--json", one) for one in ids[:4]), ("history", ids[-1]),
        *(("explain", m.id) for m in asked[-3:]), ("explain", "--json", asked[-1].id),
    ]  # fmt: skip
    for command in commands:
        done = told.run(*command, *config)
        assert done.returncode == 0, (command, done.stderr)
        assert_clean((done.stdout + done.stderr).encode(), " ".join(command))


def test_a_check_says_the_same_under_aliases(told: Stage) -> None:
    config = ("--config.file", str(told.folder / "wallprobe.yml"))
    prom = told.folder / "state.prom"
    everything = (*config, "--textfile", str(prom), str(told.folder / "closed.wall.example.ovpn"), GATEWAY, LINKS[0])
    done = told.run("check", *everything, timeout_s=90)
    assert done.returncode == 0, done.stderr
    assert_clean((done.stdout + done.stderr).encode(), "check")
    assert_clean(prom.read_bytes(), "the text file")
    assert re.search(r"^✓ OK  anyconnect-[0-9a-f]{6} ", done.stdout, re.MULTILINE), done.stdout
    shown = told.run("check", "--alias", "--json", "--verbose", GATEWAY, *config, timeout_s=90)
    (record,) = objects("\n".join(line for line in shown.stdout.splitlines() if line.startswith("{"))).values()
    assert_clean(shown.stdout.encode(), "check --json")
    assert record["status"] == "ok"
    again = told.run("check", "--no-alias", "--json", GATEWAY, *config, timeout_s=90)
    assert list(objects(again.stdout)) == ["anyconnect://vpn.wall.example:443"], "and without, it is"


def test_a_survey_under_an_alias_says_what_lives_there_and_not_where(told: Stage) -> None:
    config = ("--config.file", str(told.folder / "wallprobe.yml"))
    done = told.run("check", "--verbose", "vpn.wall.example", *config, timeout_s=90)
    assert_clean((done.stdout + done.stderr).encode(), "check of a name")
    assert re.search(r"Lives at \S+-[0-9a-f]{6}: AnyConnect", done.stdout), done.stdout


def test_the_key_is_its_owners_alone_and_makes_the_same_aliases_again(told: Stage) -> None:
    config = ("--config.file", str(told.folder / "wallprobe.yml"))

    def find_id() -> str:
        # Of a port that is closed: what was greeted within a minute is not greeted again.
        (record,) = objects(told.run("check", "--json", LINKS[0], *config, timeout_s=90).stdout).values()
        return str(record["target_id"])

    first = find_id()
    assert find_id() == first
    listed = {
        option: told.run("targets", "list", *option, *config).stdout.splitlines() for option in ((), ("--reveal",))
    }
    where = {option: next(line for line in lines if line.startswith(first)) for option, lines in listed.items()}
    assert "closed.wall.example" not in where[()]
    assert "trojan://closed.wall.example:31194" in where["--reveal",], "its owner may ask which is which"
    key = told.folder / "state" / "installation.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.unlink()
    assert find_id() != first, "another key, another alias"


def test_what_is_planted_would_be_found() -> None:
    for text in (b"at 45.90.5.1:31194", b"vpn.wall.example", base64.b64encode(b"xx closed.wall.example")):
        with pytest.raises(pytest.fail.Exception):
            assert_clean(text, "a test")
    assert_clean(b"145.90.5.12 and 311945", "a test")
    assert Path(__file__).exists()
