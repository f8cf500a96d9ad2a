"""The colors of the screens, computed: a boundary has 3:1 and text 4.5:1 (WCAG 2.2, 1.4.3 and 1.4.11), in both themes.

axe-core checks texts only, and only those that a test shows.
"""

import re
from importlib import resources

import pytest

BACKGROUNDS = ("paper", "ground", "tint")
TEXTS = ("ink", "faint", "danger", "tint-ink")
BOUNDARIES = ("edge", "brand", "danger")  # of fields, of what has the focus, and of fields with an error


def palette(selector):
    css = resources.files("tokenkit.widgets").joinpath("front.css").read_text("utf-8")
    rule = re.search(rf"^{re.escape(selector)} {{(.*?)^}}", css, re.DOTALL | re.MULTILINE).group(1)
    return dict(re.findall(r"--([\w-]+): (#\w+);", rule))


def luminance(color):
    digits = color.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [".tk", ".tk.tks-dark"])
def test_texts_and_boundaries_stand_out_from_every_background(theme):
    colors = palette(theme)
    pairs = [("paper", "brand", 4.5), ("on-danger", "danger", 4.5)]  # the texts of filled buttons
    pairs += [(text, background, 4.5) for text in TEXTS for background in BACKGROUNDS]
    pairs += [(boundary, background, 3) for boundary in BOUNDARIES for background in BACKGROUNDS]
    low = {
        (one, other): ratio for one, other, least in pairs if (ratio := contrast(colors[one], colors[other])) < least
    }
    assert low == {}


def test_both_themes_define_the_same_colors():
    assert palette(".tk").keys() == palette(".tk.tks-dark").keys()
