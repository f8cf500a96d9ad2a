"""Charts are PNG images that show only counts and do not affect the notebook's matplotlib."""

import subprocess
import sys
import zlib

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from tests.conftest import NOW
from tokenkit import errors
from tokenkit.output import charts

SMALL = 80_000  # bytes


@pytest.fixture
def tokens(workspace):
    return workspace.tokens()


@pytest.fixture
def findings():
    owners = [f"person{n}@example.com" for n in range(30)]
    return pd.DataFrame({"owner": owners, "severity": (["high", "medium", "low"] * 10)})


@pytest.fixture
def pictures(tokens, findings):
    """Each chart as a function of only its colors and size."""
    return {
        "expiry_calendar": lambda **options: charts.expiry_calendar(tokens, now=NOW, **options),
        "age": lambda **options: charts.age(tokens, **options),
        "idle": lambda **options: charts.idle(tokens, **options),
        "risk_by_owner": lambda **options: charts.risk_by_owner(findings, **options),
    }


def pixels(png, tmp_path):
    (tmp_path / "picture.png").write_bytes(png)
    return imread(tmp_path / "picture.png")


def chunks(png):
    """Return the kinds of a PNG's chunks, each with its checksum verified."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    kinds, at = [], 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        kind, checksum = png[at + 4 : at + 8], png[at + 8 + length : at + 12 + length]
        assert zlib.crc32(png[at + 4 : at + 8 + length]) == int.from_bytes(checksum, "big")
        kinds.append(kind.decode())
        at += 12 + length
    return kinds


@pytest.mark.parametrize("name", ["expiry_calendar", "age", "idle", "risk_by_owner"])
def test_every_chart_is_a_small_png_of_the_requested_size(pictures, tmp_path, name):
    png = pictures[name](width=400, height=200)
    assert set(chunks(png)) == {"IHDR", "pHYs", "IDAT", "IEND"}  # no text chunks with a version or data
    assert len(png) < SMALL
    assert pixels(png, tmp_path).shape[:2] == (400, 800)


@pytest.mark.parametrize("name", ["expiry_calendar", "age", "idle", "risk_by_owner"])
def test_the_same_counts_give_the_same_bytes(pictures, name):
    assert pictures[name]() == pictures[name]()


@pytest.mark.parametrize(("dark", "paper"), [(False, charts.LIGHT.paper), (True, charts.DARK.paper)])
def test_the_background_is_opaque(pictures, tmp_path, dark, paper):
    corner = pixels(pictures["age"](dark=dark), tmp_path)[0, 0]
    assert np.allclose(corner[:3], mpl.colors.to_rgb(paper), atol=1 / 255)
    assert len(corner) == 3 or corner[3] == 1


def test_another_listing_gives_another_chart(tokens, findings):
    fewer = tokens.head(100)
    assert charts.age(tokens) != charts.age(fewer)
    assert charts.idle(tokens) != charts.idle(fewer)
    assert charts.expiry_calendar(tokens, now=NOW) != charts.expiry_calendar(fewer, now=NOW)
    assert charts.risk_by_owner(findings) != charts.risk_by_owner(findings.head(10))


def test_comments_do_not_change_a_chart(tokens):
    told = tokens.assign(comment="somebody wrote this")
    assert charts.age(tokens) == charts.age(told)
    assert charts.expiry_calendar(tokens, now=NOW) == charts.expiry_calendar(told, now=NOW)


def test_an_empty_chart_states_that_there_is_nothing_to_show(tokens, findings):
    empty = charts.age(tokens.head(0))
    assert chunks(empty)[0] == "IHDR"
    assert empty != charts.idle(tokens.head(0))  # each still has its title
    assert chunks(charts.expiry_calendar(tokens.head(0), now=NOW))
    assert chunks(charts.risk_by_owner(findings.head(0)))


@pytest.mark.parametrize(
    "name",
    [
        "$",
        r"$\frac{1}{0}$",
        r"$\notacommand",
        "a\nb\rc\x00d",
        "\u202eevil",
        "データ連携",
        "x" * 10_000,
        "",
        "<b>bold</b>",
        "😀",
    ],
)
def test_any_name_can_be_drawn(findings, name):
    findings.loc[0, "owner"] = name
    assert chunks(charts.risk_by_owner(findings))


def test_a_name_is_drawn_as_it_is_written(findings):
    """Matplotlib would draw a formula as x in italics, the same image with and without braces."""
    plain, braces = (findings.replace({"owner": {"person0@example.com": name}}) for name in ("$x$", "${x}$"))
    assert charts.risk_by_owner(plain) != charts.risk_by_owner(braces)


def test_a_secret_in_a_name_is_not_drawn(findings):
    one, other = (findings.replace({"owner": {"person0@example.com": "dapi" + digit * 32}}) for digit in ("0", "1"))
    assert charts.risk_by_owner(one) == charts.risk_by_owner(other)


def test_the_style_of_the_notebook_neither_changes_a_chart_nor_is_changed(pictures):
    before = pictures["age"]()
    with mpl.rc_context({"axes.facecolor": "red", "savefig.bbox": "tight", "text.usetex": True}):
        settings = dict(mpl.rcParams)
        assert pictures["age"]() == before
        assert dict(mpl.rcParams) == settings


def test_pyplot_is_not_loaded():
    program = (
        "import sys, pandas as pd; from tokenkit import charts;"
        "charts.risk_by_owner(pd.DataFrame({'owner': ['a'], 'severity': ['high']}));"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_without_matplotlib_a_one_line_error_names_the_extra(monkeypatch, findings):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(errors.ConfigurationError, match=r"pip install matplotlib"):
        charts.risk_by_owner(findings)
