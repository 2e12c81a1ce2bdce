import json

import msgspec
import pytest
from click.testing import CliRunner, Result

from probe.cli.commands.config import config
from probe.cli.commands.targets import targets
from probe.model.errors import CombinedUserError, UserError
from probe.model.target import Target


def run(command, *arguments: str, stdin: str | bytes | None = None) -> tuple[object, Result]:
    """Return what the command returned as its exit code, and what it wrote."""
    outcome = CliRunner().invoke(command, arguments, input=stdin, standalone_mode=False)
    return outcome.return_value, outcome


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "l.txt"
    path.write_text("https://a.example\nhtps://b.example\nhttps://a.example/\n")
    return str(path)


def test_lint_prints_each_mistake_and_the_load(listed):
    code, outcome = run(targets, "lint", listed)
    assert code == 2
    assert outcome.stdout.startswith("1 target / 5 m = 0.0033 checks/s, 0.01 conn/s")
    assert outcome.stderr.splitlines() == [
        f"{listed}:2: unknown scheme 'htps'; did you mean https://?",
        f"note: {listed}:3: https://a.example is also at {listed}:1; the two are one target",
    ]


def test_lint_of_a_good_list_is_exit_code_0(tmp_path):
    path = tmp_path / "l.txt"
    path.write_text("a.example\n")
    assert run(targets, "lint", str(path))[0] == 0


def test_lint_speaks_json(listed):
    _, outcome = run(targets, "lint", "--json", listed)
    report = json.loads(outcome.stdout)
    assert report["targets"] == 1
    assert report["errors"][0]["where"] == f"{listed}:2"
    assert report["load"]["profile"] == "line"


def test_lint_says_by_how_much_intervals_stretch(tmp_path):
    path = tmp_path / "l.txt"
    path.write_text("".join(f"https://s{number}.example\n" for number in range(6000)))
    _, outcome = run(targets, "lint", str(path))
    assert "200 % of profile line" in outcome.stdout
    assert "2.00 times longer" in outcome.stderr


def test_lint_reads_standard_input():
    code, outcome = run(targets, "lint", "-", stdin="https://a.example\nb.example\n")
    assert code == 0
    assert outcome.stdout.startswith("2 targets")


def test_lint_reads_shipped_lists_by_name():
    assert run(targets, "lint", "sites-foreign", "vpn-sites")[0] == 0


def test_list_is_plain_in_a_pipe(listed):
    code, outcome = run(targets, "list", listed)
    assert code == 2
    assert outcome.stdout == "a.example\tweb\thttps://a.example\t\t\t300s\n"


def test_list_in_json_reads_back_as_targets():
    _, outcome = run(targets, "list", "--json", "resolvers")
    read = [msgspec.json.decode(line, type=Target) for line in outcome.stdout.splitlines()]
    assert len(read) > 20


def test_list_without_a_source_shows_what_the_agent_would_run(tmp_path):
    path = tmp_path / "w.yml"
    path.write_text("targets: [https://a.example, {uri: 'icmp://192.0.2.1', group: g, interval: 1m}]\n")
    _, outcome = run(targets, "list", "--config.file", str(path))
    first, second = outcome.stdout.splitlines()
    assert first.startswith("a.example\tweb\t")
    assert second.endswith("\ticmp\ticmp://192.0.2.1\tg\t\t60s")


def test_import_writes_a_list_and_never_over_another(tmp_path):
    source, output = tmp_path / "l.csv", tmp_path / "out.yaml"
    source.write_text("url,category_code\nhttps://a.example,NEWS\n")
    code, outcome = run(targets, "import", str(source), "-o", str(output))
    assert code in (0, None)
    assert "1 targets written" in outcome.stderr
    assert "https://a.example" in output.read_text()
    _, again = run(targets, "import", str(source), "-o", str(output))
    assert isinstance(again.exception, UserError)
    assert "is there already" in str(again.exception)


def test_config_check_says_that_all_is_good(tmp_path):
    path = tmp_path / "w.yml"
    path.write_text("targets: [https://a.example]\n")
    code, outcome = run(config, "check", str(path))
    assert code == 0
    assert outcome.stdout.splitlines()[0].startswith("1 target / 5 m")
    assert outcome.stdout.splitlines()[1] == f"{path}: good"


def test_config_check_of_the_built_in_defaults_is_good():
    assert run(config, "check")[0] == 0


def test_config_check_shows_all_mistakes_at_once(tmp_path):
    path = tmp_path / "w.yml"
    path.write_text("limits: {profil: x}\nfoo: 1\n")
    _, outcome = run(config, "check", str(path))
    assert isinstance(outcome.exception, CombinedUserError)
    code, as_json = run(config, "check", "--json", str(path))
    assert code == 2
    assert [error["where"] for error in json.loads(as_json.stdout)["errors"]] == [f"{path}:1", f"{path}:2"]


def test_config_check_finds_mistakes_in_targets_and_lists(tmp_path):
    (tmp_path / "l.txt").write_text("htps://a.example\n")
    path = tmp_path / "w.yml"
    path.write_text("targets:\n  - uri: https://a.example\n    expct: {}\n  - file: l.txt\n  - file: gone.txt\n")
    code, outcome = run(config, "check", str(path))
    assert code == 2
    assert [line.partition(";")[0] for line in outcome.stderr.splitlines()] == [
        f"{path}:3: unknown key 'expct'",
        f"{tmp_path}/l.txt:1: unknown scheme 'htps'",
        f"{tmp_path}/gone.txt: cannot be read: No such file or directory",
    ]
    assert outcome.stdout.endswith("w.yml: not good\n")


def test_a_load_above_100_percent_is_an_error(tmp_path):
    (tmp_path / "l.txt").write_text("".join(f"https://s{number}.example\n" for number in range(3001)))
    path = tmp_path / "w.yml"
    path.write_text("targets: [{file: l.txt}]\n")
    code, outcome = run(config, "check", str(path))
    assert code == 2
    assert "the load is 101 % of the profile" in outcome.stderr
    path.write_text("targets: [{file: l.txt}]\nlimits: {profile: server}\n")
    assert run(config, "check", str(path))[0] == 0


def test_config_check_reminds_of_the_risk(tmp_path):
    path = tmp_path / "w.yml"
    path.write_text("targets: [{shipped: sites-foreign}]\n")
    assert "accept_risk" in run(config, "check", str(path))[1].stderr
    path.write_text("targets: [{shipped: sites-foreign}]\naccept_risk: true\n")
    assert "accept_risk" not in run(config, "check", str(path))[1].stderr


@pytest.mark.parametrize(
    ("web", "said"),
    [
        ("listen: 0.0.0.0:9785", "web.listen 0.0.0.0:9785: reachable from other machines without protection"),
        ("listen: ':9785'", "web.listen :9785: reachable from other machines without protection"),
        ("listen: '[2001:db8::1]:9785'", "reachable from other machines without protection"),
        ("{listen: 0.0.0.0:9785, allow_insecure: yes}", ""),
        ("listen: '[::1]:9785'", ""),
    ],
)
def test_config_check_refuses_where_the_agent_would_not_listen(tmp_path, web, said):
    path = tmp_path / "wallprobe.yml"
    path.write_text(f"web: {web if web[0] == '{' else '{' + web + '}'}\n")
    code, outcome = run(config, "check", str(path))
    assert (code, said in outcome.stderr) == (2 if said else 0, True), outcome.stderr
    assert bool(outcome.stderr) == bool(said)
