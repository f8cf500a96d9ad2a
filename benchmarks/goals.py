"""The figures of a run and their goals, in one table at the end of ``python -m benchmarks``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured value and its goal."""

    what: str
    value: float
    unit: str
    least: float | None
    most: float | None

    def row(self) -> str:
        """Return the figure as a row of the table."""
        bound = self.least if self.least is not None else self.most
        met = self.value >= bound if self.least is not None else bound is None or self.value <= bound
        goal = "" if bound is None else f"{'≥' if self.least is not None else '≤'} {bound:g}{self.unit}"
        verdict = "" if bound is None else "met" if met else "missed"
        return f"{self.what:58} {self.value:9.3g}{self.unit:3} {goal:>10}  {verdict}".rstrip()


FIGURES: list[Figure] = []


def note(what: str, value: float, *, unit: str = "x", least: float | None = None, most: float | None = None) -> None:
    """Add a figure to the table.

    Args:
        what: The quantity, and what it is compared with.
        value: A ratio, or a value in ``unit``.
        unit: The suffix of the value.
        least: The goal, if higher is better.
        most: The goal, if lower is better.
    """
    FIGURES.append(Figure(what, value, unit, least, most))


def table() -> str:
    """Return the table of all figures, in the order in which they were added."""
    return "\n".join([f"{'figure':58} {'measured':>12} {'goal':>10}", *(figure.row() for figure in FIGURES)])
