"""Text can be read by who sees little contrast. Source: WCAG 2.2, 1.4.3 (4.5 to 1) and its relative luminance."""

import re

import pytest

from probe.model.verdict import Status
from probe.web.templating import read_static

_ROOTS = re.findall(r":root \{(.*?)\}", read_static("app.css").decode(), re.DOTALL)
THEMES = {"light": dict(re.findall(r"(--[\w-]+): (#\w+)", _ROOTS[0]))}
THEMES["dark"] = THEMES["light"] | dict(re.findall(r"(--[\w-]+): (#\w+)", _ROOTS[1]))


def channels(colour: str) -> tuple[float, ...]:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    return tuple(int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["--card", "--back", "--soft"])
@pytest.mark.parametrize("ink", ["--ink", "--quiet", "--accent"])
def test_words_stand_out(theme: str, ground: str, ink: str):
    assert contrast(channels(THEMES[theme][ink]), channels(THEMES[theme][ground])) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("status", Status)
def test_the_word_of_a_status_stands_out_on_its_chip(theme: str, status: Status):
    colours = THEMES[theme]
    for ground in ("--card", "--soft"):
        mixed = tuple(
            0.15 * chip + 0.85 * under
            for chip, under in zip(channels(colours[f"--{status}"]), channels(colours[ground]), strict=True)
        )
        assert contrast(channels(colours[f"--{status}-ink"]), mixed) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_the_button_can_be_read(theme: str):
    assert contrast(channels(THEMES[theme]["--accent"]), channels(THEMES[theme]["--card"])) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.INSUFFICIENT])
def test_what_is_drawn_stands_out_from_where_it_is_drawn(theme: str, status: Status):
    """WCAG 1.4.11: 3 to 1; the height and the word say the same, so less than that is no loss of meaning."""
    assert contrast(channels(THEMES[theme][f"--{status}"]), channels(THEMES[theme]["--card"])) >= 2.5
