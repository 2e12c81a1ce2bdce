"""The exam as tests hold it: every scenario, under names, addresses, delays and an order drawn by lot.

`LAB_SEED` repeats a draw; the seed of this one is printed.
"""

import asyncio
import os
import random
import resource
import time

import msgspec

from probe.cli.commands.lab_score import render_mark, render_score
from probe.lab.exam.grade import Grade
from probe.lab.exam.sitting import hold_exam
from probe.lab.scenarios import build_scenarios
from probe.lab.world.atlas import build_world

JOBS = int(os.environ.get("LAB_JOBS", "7"))
"""More than cores: most of the time a lab waits for a silence to be one."""
NEEDS_TUN = {"tunnel-default-route"}
"""What may be skipped where /dev/net/tun is missing."""


def everything(names, seed):
    """Hold them all, whatever the seed."""
    return names


def hold(request, *, outside, choose=everything, again=False, jobs=JOBS):
    """Return the score and its processor seconds, and print it past pytest's capture; `choose` says what is held.

    Labs side by side take the processors from each other, and a comparison can lose its moment: with `again`, what was
    less sure than it could be is held once more by itself, and that answer counts. What was wrong stays wrong.
    """
    seed = int(os.environ.get("LAB_SEED") or random.randrange(1_000_000))
    names = choose(tuple(build_scenarios(build_world(seed))), seed)
    started_s, before_s = time.monotonic(), used_s()
    score = asyncio.run(hold_exam(names, seed=seed, jobs=jobs, tell=lambda mark: None, outside=outside))
    unsure = tuple(mark.scenario for mark in score.marks if mark.grade in (Grade.CAREFUL, Grade.MISSED))
    if again and unsure:
        _show(request.config, f"  held once more, alone: {', '.join(unsure)}")
        second = asyncio.run(hold_exam(unsure, seed=seed, jobs=1, tell=lambda mark: None, outside=outside))
        settled = tuple(mark for mark in score.marks if mark.scenario not in unsure)
        score = msgspec.structs.replace(score, marks=settled + second.marks)
    wall_s, cpu_s = time.monotonic() - started_s, used_s() - before_s
    spent = f"  {jobs} labs side by side, {wall_s:.0f} s, {cpu_s:.0f} s of a processor"
    _show(request.config, "\n".join((*render_score(score), spent)))
    return score, cpu_s


def used_s():
    """Return the processor time of this process and of what it has waited for: labs that ended, and all in them."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _show(config, text):
    if hasattr(config, "workeroutput"):
        config.workeroutput.setdefault("shown", []).append(text)
        return
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(text)


def tell(marks):
    return "\n" + "\n".join(line for mark in marks for line in render_mark(mark))


def assert_all_were_judged(score):
    marked, skipped = {mark.scenario for mark in score.marks}, {one.scenario for one in score.skipped}
    assert marked | skipped == set(build_scenarios(build_world(score.seed)))
    assert skipped <= NEEDS_TUN
