"""What a reload changed."""

import logging

import msgspec

from probe.cli.changes import Changes, compare_targets, log_changes, named_files, take_fingerprint
from probe.model.control import ControlKind
from probe.model.settings import ControlSettings, Settings, TargetSource
from probe.model.target import SecretRef
from probe.targets.address import parse_address


def test_targets_that_came_went_and_changed_are_told_apart():
    one, two, three = (parse_address(f"https://{name}.example") for name in ("one", "two", "three"))
    slower = msgspec.structs.replace(two, interval_s=900.0)
    found = compare_targets({t.id: t for t in (one, two)}, {t.id: t for t in (slower, three)})
    assert found == Changes(added=(three.id,), removed=(one.id,), changed=(two.id,))
    assert not compare_targets({one.id: one}, {one.id: one})


def test_each_change_is_a_line_up_to_a_hundred_and_the_rest_is_counted(caplog):
    with caplog.at_level(logging.INFO, "wallprobe"):
        log_changes(logging.getLogger("wallprobe"), Changes(added=tuple(str(n) for n in range(120)), removed=("x",)))
    assert len(caplog.records) == 101
    assert caplog.records[-1].not_named == 21
    caplog.clear()
    log_changes(logging.getLogger("wallprobe"), Changes())
    assert caplog.records == []


def test_every_file_that_the_configuration_names_counts(tmp_path):
    names = ("wallprobe.yml", "list-1.txt", "list-2.txt", "ca.pem", "token", "office.ovpn", "control.pem")
    for name in names:
        (tmp_path / name).write_text(name)
    settings = Settings(
        ca_file=str(tmp_path / "ca.pem"),
        targets=(
            TargetSource(file=str(tmp_path / "list-*.txt")),
            TargetSource(uri=str(tmp_path / "office.ovpn")),
            TargetSource(uri="https://a.example"),
            TargetSource(http_sd="https://b.example/list"),
        ),
        controls=(
            ControlSettings(
                url="https://c.example",
                kind=ControlKind.WALLPROBE,
                ca_file=str(tmp_path / "control.pem"),
                token=SecretRef(source=f"file:{tmp_path / 'token'}"),
            ),
        ),
    )
    config = tmp_path / "wallprobe.yml"
    assert {name.rpartition("/")[2] for name in named_files(settings, config)} == set(names)
    before = take_fingerprint(settings, config)
    assert take_fingerprint(settings, config) == before
    for name in names:
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text + "x")
        assert take_fingerprint(settings, config) != before, name
        (tmp_path / name).write_text(text)
    (tmp_path / "list-3.txt").touch()
    assert take_fingerprint(settings, config) != before
    (tmp_path / "list-3.txt").unlink()
    (tmp_path / "token").unlink()
    assert take_fingerprint(settings, config) != before
