"""Pictures of a listing and of an audit's findings, as PNG: they need no JavaScript and show wherever notebooks do.

A chart draws the counts of ``review/distributions.py`` and nothing else, so no comment reaches a picture; of what
people write only the names of owners do, and those are drawn as text, past matplotlib's own markup. The paper is
opaque, so that a picture is legible whatever it is laid on. The colours are after Okabe and Ito, for the colour-blind
too.

Figures are made without pyplot, whose state belongs to the notebook, and in matplotlib's own style, whatever the
notebook's is. The same counts give the same bytes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokenkit import errors
from tokenkit.printable import printable
from tokenkit.redaction import redact
from tokenkit.review import distributions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 520, 260
"""The size of a chart on the screen. The picture has twice as many pixels each way, for sharp screens and paper."""

OWNERS = 8
"""How many owners a chart has room for."""

_DOTS_PER_PIXEL = 2
_PIXELS_PER_INCH = 96
_TEXT, _HEADING = 8, 9.5  # in points
_HEAD_PIXELS = 52
_NAME_LENGTH = 30


@dataclass(frozen=True)
class Palette:
    """The colours of a chart, and of the page that it is made for.

    Attributes:
        paper: Behind everything.
        ink: Titles and figures.
        faint: Labels and lines.
        plain: What is ordinary.
        notable: What wants a look.
        severities: From high to low.
    """

    paper: str
    ink: str
    faint: str
    plain: str
    notable: str
    severities: tuple[str, str, str]


LIGHT = Palette("#ffffff", "#1b1f24", "#57606a", "#0072b2", "#e69f00", ("#d55e00", "#e69f00", "#8cc4e6"))
DARK = Palette("#161b22", "#e6edf3", "#9aa4af", "#56b4e9", "#e69f00", ("#e8743b", "#f0c05a", "#4f7ea3"))


def expiry_calendar(
    tokens: pd.DataFrame, *, now: pd.Timestamp, dark: bool = False, width: int = WIDTH, height: int = HEIGHT
) -> bytes:
    """Return a picture of how many tokens end in each of the coming weeks: by their expiry, or by the platform's
    revocation of what is unused.

    Args:
        tokens: A listing with the columns of ``Workspace.tokens``.
        now: The moment that weeks are counted from, with a zone.
        dark: Whether it is for a dark page.
        width: In pixels of the screen.
        height: In pixels of the screen.

    Returns:
        A PNG. Without any token to show, it says so; likewise for the other charts.

    Raises:
        ConfigurationError: matplotlib is not installed; likewise for the other charts.
    """
    counts = distributions.ends_by_week(tokens, now=now)
    counts = counts.rename(columns={"expires": "expire", "unused": "revoked as unused for 90 days"})
    title = f"Active tokens that end within {len(counts)} weeks"
    return _picture(title, counts, _weeks, dark=dark, width=width, height=height)


def age(tokens: pd.DataFrame, *, dark: bool = False, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a picture of how old tokens are, and whether they ever expire. See ``expiry_calendar``."""
    counts = distributions.by_age(tokens)
    return _picture("Active tokens by age", counts, _columns, dark=dark, width=width, height=height)


def idle(tokens: pd.DataFrame, *, dark: bool = False, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a picture of how long tokens have not been used. See ``expiry_calendar``."""
    counts = distributions.by_idle_time(tokens)
    title = "Active tokens by time since their last use"
    return _picture(title, counts, _columns, dark=dark, width=width, height=height)


def risk_by_owner(findings: pd.DataFrame, *, dark: bool = False, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a picture of the owners with the worst findings of an audit. See ``expiry_calendar``."""
    counts = distributions.by_owner(findings)
    shown = counts.head(OWNERS)
    cut = "" if len(shown) == len(counts) else f", the worst {len(shown)} of {len(counts):,}"
    return _picture(f"Findings by owner{cut}", shown, _rows, dark=dark, width=width, height=height)


def _weeks(axes: Axes, counts: pd.DataFrame, palette: Palette) -> None:
    """Draw narrow columns above a line of months."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    _stack(axes.bar, axes, counts, (palette.plain, palette.notable), width=0.8)
    mondays = pd.DatetimeIndex(counts.index)
    begins = [n for n in range(len(mondays)) if n == 0 or mondays[n].month != mondays[n - 1].month]
    # A month of which only the last week is shown has no room for its name.
    begins = [n for n, following in zip(begins, [*begins[1:], len(mondays)], strict=True) if following - n > 1]
    names = [f"{mondays[n]:%b %Y}" if n == begins[0] or mondays[n].month == 1 else f"{mondays[n]:%b}" for n in begins]
    axes.set_xticks(begins, names, ha="left")
    axes.set_xlim(-0.6, len(counts) - 0.4)
    axes.tick_params(axis="x", length=4, direction="out")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=palette.faint, alpha=0.25, linewidth=0.6)


def _columns(axes: Axes, counts: pd.DataFrame, palette: Palette) -> None:
    """Draw columns with their totals above them."""
    _stack(axes.bar, axes, counts, (palette.plain, palette.notable), width=0.72)
    axes.set_xticks(range(len(counts)), [*counts.index])
    axes.set_yticks([])
    totals = counts.sum(axis="columns")
    for place, total in enumerate(totals):
        axes.annotate(
            f"{total:,}", (place, total), xytext=(0, 2), textcoords="offset points", ha="center", color=palette.ink
        )
    axes.set_ylim(0, totals.max() * 1.12)


def _rows(axes: Axes, counts: pd.DataFrame, palette: Palette) -> None:
    """Draw bars with names at their left and totals at their right, the first on top."""
    _stack(axes.barh, axes, counts, palette.severities, height=0.68)
    axes.set_yticks(range(len(counts)), [_short(str(name)) for name in counts.index])
    axes.set_xticks([])
    totals = counts.sum(axis="columns")
    for place, total in enumerate(totals):
        axes.annotate(
            f"{total:,}", (total, place), xytext=(3, 0), textcoords="offset points", va="center", color=palette.ink
        )
    axes.set_xlim(0, totals.max() * 1.08)
    axes.set_ylim(max(len(counts), OWNERS) - 0.4, -0.6)  # a bar is as thick however few there are
    axes.spines["bottom"].set_visible(False)


def _stack(
    draw: Callable[..., object], axes: Axes, counts: pd.DataFrame, colours: Sequence[str], **thickness: float
) -> None:
    """Draw the columns of counts upon each other."""
    along = "left" if draw == axes.barh else "bottom"
    base = counts.iloc[:, 0] * 0
    for name, colour in zip(counts.columns, colours, strict=True):
        if counts[name].any():
            draw(range(len(counts)), counts[name], **{along: base}, color=colour, label=str(name), **thickness)
        base = base + counts[name]


def _short(name: str) -> str:
    """Return a name on one line, without what looks like a credential, and cut if it is long."""
    name = printable(redact(name))
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"


def _picture(
    title: str,
    counts: pd.DataFrame,
    draw: Callable[[Axes, pd.DataFrame, Palette], None],
    *,
    dark: bool,
    width: int,
    height: int,
) -> bytes:
    """Return the PNG of one drawing with its title and legend, or of the sentence that there is nothing to draw."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra, and half a second
        from matplotlib.figure import Figure  # noqa: PLC0415
        from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415
    except ImportError:
        problem = errors.ConfigurationError(
            "matplotlib, which draws charts, is not installed here. Install it with: pip install 'tokenkit[charts]'"
        )
        raise problem from None
    palette = DARK if dark else LIGHT
    # The notebook's own fonts may know scripts that the default one does not.
    fonts = {name: mpl.rcParams[name] for name in ("font.family", "font.sans-serif")}
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_style(palette) | fonts)
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a box stands for it
        inches = width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH
        body = 1 - _HEAD_PIXELS / height
        figure = Figure(figsize=inches, layout=ConstrainedLayoutEngine(rect=(0.01, 0.01, 0.98, body - 0.01)))
        left = 10 / width
        figure.text(left, 1 - 8 / height, title, va="top", fontsize=_HEADING, fontweight="bold", color=palette.ink)
        if counts.to_numpy().any():
            axes = figure.add_subplot()
            draw(axes, counts, palette)
            figure.legend(loc="upper left", bbox_to_anchor=(left, 1 - 26 / height), ncols=3)
        else:
            figure.text(0.5, body / 2, "Nothing to show.", ha="center", color=palette.faint)
        return _png(figure)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    # Without the line that names matplotlib's version, the bytes depend on the picture alone.
    figure.savefig(file, format="png", dpi=_PIXELS_PER_INCH * _DOTS_PER_PIXEL, metadata={"Software": None})
    return file.getvalue()


def _style(palette: Palette) -> Any:  # noqa: ANN401 - newer versions of matplotlib type each setting, older ones none
    return {
        "figure.facecolor": palette.paper,
        "axes.facecolor": palette.paper,
        "axes.edgecolor": palette.faint,
        "axes.linewidth": 0.8,
        "axes.axisbelow": True,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "font.size": _TEXT,
        "text.color": palette.faint,
        "text.parse_math": False,  # a name may hold dollar signs, between which formulas would be read
        "legend.frameon": False,
        "legend.borderaxespad": 0,
        "legend.borderpad": 0,
        "legend.handlelength": 0.9,
        "legend.handletextpad": 0.5,
        "legend.columnspacing": 1.4,
        "xtick.color": palette.faint,
        "ytick.color": palette.faint,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
    }
