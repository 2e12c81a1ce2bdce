"""At most one handshake a minute with an endpoint, whoever asks: two processes, and the network as witness.

Each process is a real one. What they cannot know of each other is said in `deploy/README.md`, and shown here too.
"""

import subprocess

from tests.e2e.conftest import Stage
from tests.e2e.test_check import objects

GATEWAY = "anyconnect://vpn.wall.example:443"
LINK = "socks5://45.90.3.1:443"
"""The same server, whom another protocol asks."""


def ask_at_once(stage: Stage, *config_files: str, target: str = GATEWAY) -> list[dict]:
    """Check a target from as many processes as there are configurations; return what each saw."""
    commands = [stage.command("check", "--json", "--config.file", name, target) for name in config_files]
    started = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for c in commands]
    records = []
    for process in started:
        shown, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        records += objects(shown).values()
    return records


def count_asked(records: list[dict]) -> int:
    """Return in how many of the runs the server was spoken with at all."""
    talks = [[o for o in record["observations"] if o["type"] == "dialogue"] for record in records]
    assert all(talks)
    waited = [o for talk in talks for o in talk if (o["failure"] or {}).get("code") == "too_soon"]
    assert all("again in" in o["failure"]["detail"] and o["bytes_sent"] == 0 for o in waited)
    return sum(any((o["failure"] or {}).get("code") != "too_soon" for o in talk) for talk in talks)


def test_of_two_checks_at_once_one_shakes_hands(stage: Stage) -> None:
    config = str(stage.configure())
    assert count_asked(ask_at_once(stage, config, config)) == 1
    assert count_asked(ask_at_once(stage, config)) == 0, "and a third one, a moment later, does not either"
    assert count_asked(ask_at_once(stage, config, target=LINK)) == 1, "another protocol is another endpoint"


def test_a_check_beside_a_daemon_asks_it(stage: Stage, start) -> None:
    config = str(stage.configure())
    stage.put(GATEWAY)
    daemon = start()
    daemon.wait_for(lambda: 'wallprobe_check_runs_total{target="anyconnect' in daemon.metrics(), 60)
    daemon.wait_for(lambda: daemon.sample('wallprobe_check_runs_total{target="anyconnect'), 60)
    assert count_asked(ask_at_once(stage, config)) == 0
    daemon.stop()
    assert count_asked(ask_at_once(stage, config)) == 0, "what the daemon did is remembered when it has gone"


def test_processes_with_state_folders_of_their_own_know_nothing_of_each_other(stage: Stage) -> None:
    first = stage.configure()
    second = stage.folder / "other.yml"
    second.write_text(first.read_text().replace("/state/", "/state/other/"))
    assert count_asked(ask_at_once(stage, str(first), str(second))) == 2
