"""Charts of a listing and of audit findings, as PNG images that require no JavaScript.

A chart shows only the counts of ``review/distributions.py``, so comments never appear in it. The only user-defined text
is the names of owners, which are drawn without matplotlib's markup. The background is opaque, so that a chart is
readable on any page. The colors follow Okabe and Ito and suit color-blind readers.

Figures are created without pyplot, whose state belongs to the notebook, and in matplotlib's default style. The same
counts give the same bytes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokenkit import errors
from tokenkit.core import wording
from tokenkit.core.arguments import flag, frame, whole_number
from tokenkit.core.clock import moment
from tokenkit.core.printable import printable
from tokenkit.core.redaction import redact
from tokenkit.review import distributions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 520, 260
"""The size of a chart on the screen. The image has twice as many pixels in each direction, for high resolutions."""

OWNERS = 8
"""The maximum number of owners in a chart."""

_DOTS_PER_PIXEL = 2
_PIXELS_PER_INCH = 96
_TEXT, _HEADING = 8, 9.5  # in points
_HEAD_PIXELS = 52
_NAME_LENGTH = 30


@dataclass(frozen=True)
class Palette:
    """The colors of a chart and its page.

    Attributes:
        paper: The background.
        ink: Titles and numbers.
        faint: Labels and lines.
        plain: Ordinary data.
        notable: Data that requires attention.
        severities: The colors of severities, from high to low.
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
    """Return a chart of the number of tokens that end in each of the coming weeks, because they expire or because the
    platform revokes unused tokens.

    Args:
        tokens: A listing with the columns of ``Workspace.tokens``.
        now: The start of the first week, with a time zone.
        dark: Whether the chart is for a dark page.
        width: The width in screen pixels.
        height: The height in screen pixels.

    Returns:
        A PNG image. If there are no tokens to show, the image states this. The same applies to the other charts.

    Raises:
        ConfigurationError: matplotlib is not installed. The same applies to the other charts.
    """
    frame("tokens", tokens, ("status", "expiry_time", "idle_days", "effective_end"))
    counts = distributions.ends_by_week(tokens, now=moment("now", now))
    counts = counts.rename(columns={"expires": "expire", "unused": "revoked as unused for 90 days"})
    title = f"Active tokens that end within {len(counts)} weeks"
    return _chart(title, counts, _weeks, dark=dark, width=width, height=height)


def age(tokens: pd.DataFrame, *, dark: bool = False, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a chart of the ages of tokens, and whether they expire. See ``expiry_calendar``."""
    counts = distributions.by_age(frame("tokens", tokens, ("status", "age_days", "never_expires")))
    return _chart("Active tokens by age", counts, _columns, dark=dark, width=width, height=height)


def idle(tokens: pd.DataFrame, *, dark: bool = False, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a chart of the time since tokens were last used. See ``expiry_calendar``."""
    counts = distributions.by_idle_time(frame("tokens", tokens, ("status", "last_used_day", "idle_days")))
    title = "Active tokens by time since their last use"
    return _chart(title, counts, _columns, dark=dark, width=width, height=height)


def risk_by_owner(findings: pd.DataFrame, *, dark: bool = False, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Return a chart of the owners with the most severe audit findings. See ``expiry_calendar``."""
    counts = distributions.by_owner(frame("findings", findings, ("owner", "severity")))
    shown = counts.head(OWNERS)
    cut = "" if len(shown) == len(counts) else f", the worst {len(shown)} of {len(counts):,}"
    return _chart(f"Findings by owner{cut}", shown, _rows, dark=dark, width=width, height=height)


def _weeks(axes: Axes, counts: pd.DataFrame, palette: Palette) -> None:
    """Draw narrow columns above a line of months."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    _stack(axes.bar, axes, counts, (palette.plain, palette.notable), width=0.8)
    mondays = pd.DatetimeIndex(counts.index)
    begins = [n for n in range(len(mondays)) if n == 0 or mondays[n].month != mondays[n - 1].month]
    # A month with only one week in the chart has too little space for its name.
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
    for position, total in enumerate(totals):
        axes.annotate(
            f"{total:,}", (position, total), xytext=(0, 2), textcoords="offset points", ha="center", color=palette.ink
        )
    axes.set_ylim(0, totals.max() * 1.12)


def _rows(axes: Axes, counts: pd.DataFrame, palette: Palette) -> None:
    """Draw bars with names on the left and totals on the right, the first on top."""
    _stack(axes.barh, axes, counts, palette.severities, height=0.68)
    axes.set_yticks(range(len(counts)), [_short(str(name)) for name in counts.index])
    axes.set_xticks([])
    totals = counts.sum(axis="columns")
    for position, total in enumerate(totals):
        axes.annotate(
            f"{total:,}", (total, position), xytext=(3, 0), textcoords="offset points", va="center", color=palette.ink
        )
    axes.set_xlim(0, totals.max() * 1.08)
    axes.set_ylim(max(len(counts), OWNERS) - 0.4, -0.6)  # keeps the thickness of bars constant
    axes.spines["bottom"].set_visible(False)


def _stack(
    draw: Callable[..., object], axes: Axes, counts: pd.DataFrame, colors: Sequence[str], **thickness: float
) -> None:
    """Draw the columns of counts as stacked bars."""
    along = "left" if draw == axes.barh else "bottom"
    base = counts.iloc[:, 0] * 0
    for name, color in zip(counts.columns, colors, strict=True):
        if counts[name].any():
            draw(range(len(counts)), counts[name], **{along: base}, color=color, label=str(name), **thickness)
        base = base + counts[name]


def _short(name: str) -> str:
    """Return a name on one line, redacted and truncated."""
    name = printable(redact(name))
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"


def _chart(
    title: str,
    counts: pd.DataFrame,
    draw: Callable[[Axes, pd.DataFrame, Palette], None],
    *,
    dark: bool,
    width: int,
    height: int,
) -> bytes:
    """Return a chart with its title and legend as PNG, or a text if there is nothing to show."""
    flag("dark", dark)
    for name, pixels in (("width", width), ("height", height)):
        whole_number(name, pixels, least=100, most=10_000)
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra, and half a second
        from matplotlib.figure import Figure  # noqa: PLC0415
        from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415
    except ImportError:
        problem = errors.ConfigurationError(wording.not_installed("Charts require matplotlib", "matplotlib"))
        raise problem from None
    palette = DARK if dark else LIGHT
    # The notebook's fonts can support more scripts than the default font.
    fonts = {name: mpl.rcParams[name] for name in ("font.family", "font.sans-serif")}
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_style(palette) | fonts)
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a box is drawn instead
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
    # Without the metadata with matplotlib's version, the bytes depend only on the image.
    figure.savefig(file, format="png", dpi=_PIXELS_PER_INCH * _DOTS_PER_PIXEL, metadata={"Software": None})
    return file.getvalue()


def _style(palette: Palette) -> Any:  # noqa: ANN401 - the type depends on matplotlib's version
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
        "text.parse_math": False,  # text between dollar signs would be parsed as a formula
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
