"""Builds wallprobe.json, the Grafana board: fleet on top, then one vantage, then one target.

Run `python deploy/grafana/build.py` after a change and commit both; a test compares them. Needs Grafana 9 or later.
"""

import json
import sys
from pathlib import Path
from typing import Any

Panel = dict[str, Any]
OUT = Path(__file__).with_name("wallprobe.json")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
FLEET = 'job=~"$job"'
VANTAGE = 'job=~"$job",instance=~"$instance"'
LISTED = VANTAGE + ',group=~"$group"'
ONE = VANTAGE + ',target="$target"'
WIDTH = 24
COLOURS = {
    "ok": "green",
    "degraded": "yellow",
    "blocked": "dark-red",
    "likely_blocked": "red",
    "server_side": "blue",
    "down": "purple",
    "impaired": "orange",
    "insufficient": "gray",
}
STATES = {"online": "green", "degraded": "yellow", "foreign_cut": "red", "portal": "purple", "offline": "dark-red"}


def query(expr: str, legend: str = "", **more: Any) -> dict[str, Any]:
    """Return one query of a panel."""
    return {"expr": expr, "legendFormat": legend or "__auto", "datasource": SOURCE, **more}


def instant(expr: str) -> dict[str, Any]:
    """Return a query for the present alone, as a table."""
    return query(expr, instant=True, range=False, format="table")


def panel(
    kind: str, title: str, about: str, *queries: dict[str, Any], width: int, height: int = 8, **more: Any
) -> Panel:
    """Return a panel without its place."""
    defaults: dict[str, Any] = {"unit": more.pop("unit", "none"), "custom": more.pop("custom", {})}
    if (mappings := more.pop("mappings", None)) is not None:
        defaults["mappings"] = mappings
    targets = [one | {"refId": chr(ord("A") + number)} for number, one in enumerate(queries)]
    field = {"defaults": defaults, "overrides": more.pop("overrides", [])}
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": field,
        "gridPos": {"w": width, "h": height},
        **more,
    }


def lines(
    title: str, about: str, *queries: dict[str, Any], unit: str = "none", width: int = 8, stacked: bool = False
) -> Panel:
    """Return a panel of curves."""
    custom = {"stacking": {"mode": "normal"}, "fillOpacity": 60} if stacked else {"fillOpacity": 5}
    return panel("timeseries", title, about, *queries, width=width, unit=unit, custom=custom)


def coloured(names: dict[str, str]) -> list[dict[str, Any]]:
    """Give each series named so its colour, the same on every panel."""
    return [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in names.items()
    ]


def one_hot(title: str, about: str, expr: str, label: str, names: dict[str, str], width: int, height: int) -> Panel:
    """Draw which of several states is 1 over time."""
    shown = [
        {
            "type": "value",
            "options": {"1": {"text": "yes", "color": "text"}, "0": {"text": " ", "color": "transparent"}},
        }
    ]
    return panel(
        "state-timeline",
        title,
        about,
        query(expr, f"{{{{{label}}}}}"),
        width=width,
        height=height,
        mappings=shown,
        overrides=coloured(names),
        options={"showValue": "never", "rowHeight": 0.8},
    )


def build_fleet() -> list[Panel]:
    """Return the panels over all vantages."""
    status = f"sum by (status) (wallprobe_target_status{{{LISTED}}})"
    blocked = (
        f"(wallprobe_target_pattern_info{{{LISTED}}} and on (job, instance, target)"
        f" (instance_target:wallprobe_interfered:max{{{LISTED}}} == 1))"
    )
    since = f"wallprobe_episode_start_timestamp_seconds{{{LISTED}}} * 1000"
    return [
        panel(
            "stat",
            "Targets by status",
            "As last judged.",
            query(status, "{{status}}", instant=True),
            width=12,
            height=4,
            overrides=coloured(COLOURS),
        ),
        panel(
            "stat",
            "Vantages",
            "Which state each is in; none = not scraped.",
            query(f"wallprobe_vantage_state{{{FLEET}}} == 1", "{{instance}}: {{state}}", instant=True),
            width=12,
            height=4,
            options={"textMode": "name", "colorMode": "none"},
        ),
        lines(
            "Targets by status over time",
            "Stacked; the colours are those of the agent's page.",
            query(status, "{{status}}"),
            width=12,
            stacked=True,
        )
        | {
            "fieldConfig": {
                "defaults": {"custom": {"stacking": {"mode": "normal"}, "fillOpacity": 60}},
                "overrides": coloured(COLOURS),
            }
        },
        panel(
            "table",
            "Blocked now",
            "Pattern, cause and since when.",
            instant(blocked),
            instant(since),
            width=12,
            transformations=[
                {"id": "joinByField", "options": {"byField": "target", "mode": "inner"}},
                {
                    "id": "filterFieldsByName",
                    "options": {"include": {"pattern": "^(target|instance 1|group 1|pattern|cause|Value #B)$"}},
                },
                {
                    "id": "organize",
                    "options": {"renameByName": {"Value #B": "since", "instance 1": "vantage", "group 1": "group"}},
                },
            ],
            overrides=[
                {
                    "matcher": {"id": "byName", "options": "since"},
                    "properties": [{"id": "unit", "value": "dateTimeFromNow"}],
                }
            ],
        ),
        lines(
            "Newly failing",
            "Share of what was reachable an hour ago; an alert from 20 %.",
            query(f"instance:wallprobe_newly_failing_per_reachable:ratio{{{FLEET}}}", "{{instance}}"),
            unit="percentunit",
        ),
        lines(
            "Fails everywhere",
            "Targets that every vantage which judged them fails to reach.",
            query(
                "count(target:wallprobe_vantages_failing:sum == target:wallprobe_vantages:count) or vector(0)",
                "targets",
            ),
        ),
        lines(
            "Interference on neutral sites",
            "False positives, counted live.",
            query(f"increase(wallprobe_sham_interference_total{{{FLEET}}}[1h])", "{{instance}}"),
        ),
    ]


def build_vantage() -> list[Panel]:
    """Return the panels of the chosen vantages."""
    return [
        one_hot(
            "State of the vantage",
            "Only portal and offline suspend judgement.",
            f"wallprobe_vantage_state{{{VANTAGE}}}",
            "state",
            STATES,
            12,
            8,
        ),
        lines(
            "Controls",
            "Whether each answered its last question.",
            query(f"wallprobe_control_success{{{VANTAGE}}}", "{{control}}"),
            width=12,
        ),
        lines(
            "Lag",
            "Start lag, and how late the event loop woke: distrust timings taken while it is high.",
            query(f"wallprobe_scheduler_lag_seconds{{{VANTAGE}}}", "start, {{instance}}"),
            query(f"wallprobe_event_loop_lag_seconds{{{VANTAGE}}}", "loop, {{instance}}"),
            unit="s",
        ),
        lines(
            "Runs",
            "Under way, due and waiting, and missed per second.",
            query(f"wallprobe_scheduler_in_flight{{{VANTAGE}}}", "in flight"),
            query(f"wallprobe_scheduler_queued{{{VANTAGE}}}", "queued"),
            query(f"rate(wallprobe_scheduler_missed_runs_total{{{VANTAGE}}}[5m])", "missed/s"),
        ),
        lines(
            "Traffic of measurements",
            "",
            *(
                query(f'rate(wallprobe_network_bytes_total{{{VANTAGE},direction="{way}"}}[5m])', way)
                for way in ("sent", "received")
            ),
            unit="Bps",
        ),
        lines(
            "Check duration, 95th percentile",
            "By kind of check.",
            query(
                "histogram_quantile(0.95, sum by (check, le)"
                f" (rate(wallprobe_check_duration_seconds_bucket{{{VANTAGE}}}[15m])))",
                "{{check}}",
            ),
            unit="s",
        ),
        lines(
            "Database",
            "Size, and measurements lost.",
            query(f"wallprobe_store_size_bytes{{{VANTAGE}}}", "size"),
            unit="bytes",
        ),
        lines(
            "Memory and CPU",
            "Of the agent.",
            query(f"process_resident_memory_bytes{{{VANTAGE}}}", "memory"),
            unit="bytes",
        ),
    ]


def build_target() -> list[Panel]:
    """Return the panels of the chosen target."""
    return [
        one_hot("Status", "Exactly one is 1.", f"wallprobe_target_status{{{ONE}}}", "status", COLOURS, 16, 9),
        panel(
            "table",
            "Now",
            "Pattern, cause; labels of the list.",
            instant(f"wallprobe_target_pattern_info{{{ONE}}}"),
            instant(f"wallprobe_target_info{{{ONE}}}"),
            width=8,
            height=9,
            transformations=[{"id": "merge", "options": {}}],
        ),
        lines(
            "Phases of the last run",
            "On the fastest address of each family.",
            query(f"wallprobe_check_phase_duration_seconds{{{ONE}}}", "{{phase}} v{{family}}"),
            unit="s",
        ),
        lines(
            "Failures by kind",
            "Per hour.",
            query(f"increase(wallprobe_check_failures_total{{{ONE}}}[1h]) > 0", "{{failure}}"),
        ),
        lines(
            "Addresses",
            "Tried and usable, by family.",
            query(f"wallprobe_target_addresses{{{ONE}}}", "IPv{{family}} tried"),
            query(f"wallprobe_target_addresses_ok{{{ONE}}}", "IPv{{family}} usable"),
        ),
        lines(
            "Confidence",
            "0 insufficient to 3 confirmed.",
            query(f"wallprobe_target_confidence_level{{{ONE}}}", "{{instance}}"),
        ),
        lines(
            "Age of the verdict",
            "Negative while it may be believed.",
            query(f"time() - wallprobe_verdict_valid_until_timestamp_seconds{{{ONE}}}", "{{instance}}"),
            unit="s",
        ),
        lines(
            "Certificate ends in",
            "",
            query(f"wallprobe_target_certificate_expiry_timestamp_seconds{{{ONE}}} - time()", "{{instance}}"),
            unit="s",
        ),
    ]


def variable(name: str, expr: str, **more: Any) -> dict[str, Any]:
    """Return a variable that Prometheus fills."""
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": expr, "refId": name},
        "refresh": 2,
        "sort": 1,
        **more,
    }


def lay_out(rows: dict[str, list[Panel]]) -> list[Panel]:
    """Give every panel its place, from left to right and down, and its number."""
    placed: list[Panel] = []
    top = 0
    for title, panels in rows.items():
        placed.append({"type": "row", "title": title, "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}, "panels": []})
        top, left, height = top + 1, 0, 0
        for one in panels:
            place = one["gridPos"]
            if left + place["w"] > WIDTH:
                top, left, height = top + height, 0, 0
            placed.append(one | {"gridPos": place | {"x": left, "y": top}})
            left, height = left + place["w"], max(height, place["h"])
        top += height
    return [one | {"id": number} for number, one in enumerate(placed, 1)]


def build() -> dict[str, Any]:
    """Return the board."""
    every = {"multi": True, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}}
    return {
        "uid": "wallprobe",
        "title": "Wallprobe",
        "tags": ["wallprobe"],
        "schemaVersion": 37,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "utc",
        "annotations": {"list": []},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
                variable("job", "label_values(wallprobe_build_info, job)", **every),
                variable(
                    "instance", 'label_values(wallprobe_build_info{job=~"$job"}, instance)', **every, label="Vantage"
                ),
                variable("group", f"label_values(wallprobe_target_status{{{VANTAGE}}}, group)", **every),
                variable("target", f"label_values(wallprobe_target_status{{{LISTED}}}, target)"),
            ]
        },
        "panels": lay_out(
            {"Fleet": build_fleet(), "Vantage $instance": build_vantage(), "Target $target": build_target()}
        ),
    }


def render() -> str:
    """Return the board as the file holds it."""
    return json.dumps(build(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    OUT.write_text(render(), encoding="utf-8")
    print(f"{OUT} written", file=sys.stderr)
