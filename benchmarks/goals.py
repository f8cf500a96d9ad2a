"""The figures of a run beside what they are to reach: one table, at the end of ``python -m benchmarks``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured, and the bound it is held against."""

    what: str
    value: float
    unit: str
    least: float | None
    most: float | None

    def row(self) -> str:
        """Return it as a line of the table."""
        bound = self.least if self.least is not None else self.most
        met = self.value >= bound if self.least is not None else bound is None or self.value <= bound
        goal = "" if bound is None else f"{'≥' if self.least is not None else '≤'} {bound:g}{self.unit}"
        verdict = "" if bound is None else "met" if met else "missed"
        return f"{self.what:58} {self.value:9.3g}{self.unit:3} {goal:>10}  {verdict}".rstrip()


FIGURES: list[Figure] = []


def note(what: str, value: float, *, unit: str = "x", least: float | None = None, most: float | None = None) -> None:
    """Keep a figure for the table.

    Args:
        what: What was measured, against what.
        value: A ratio, or in the unit.
        unit: What stands behind the number.
        least: The goal, where more is better.
        most: The goal, where less is better.
    """
    FIGURES.append(Figure(what, value, unit, least, most))


def table() -> str:
    """Return all that was noted, in the order in which it was."""
    return "\n".join([f"{'figure':58} {'measured':>12} {'goal':>10}", *(figure.row() for figure in FIGURES)])
