"""Where the warehouse's rows of ``system.access.audit`` come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Part(NamedTuple):
    """What a reader has not read yet.

    Attributes:
        mark: What the reader passes to the next ``read``.
        rows: Dicts with the columns of the table; ``event_time`` is in ISO 8601.
        is_whole: Whether they are all rows, and the reader must drop what it has.
    """

    mark: Any
    rows: Iterable[dict[str, Any]]
    is_whole: bool


class Rows(Protocol):
    """A log that grows."""

    def read(self, mark: Any) -> Part:  # noqa: ANN401 - known only to the log
        """Return the rows since a mark; with None, or if older rows changed, all of them."""


@dataclass(frozen=True, slots=True)
class GivenRows:
    """Rows that the caller sets; more can be appended.

    Attributes:
        rows: The rows.
    """

    rows: Sequence[dict[str, Any]]

    def read(self, mark: int | None) -> Part:
        """Return the rows since a mark."""
        end = len(self.rows)
        is_whole = mark is None or mark > end
        return Part(end, self.rows[0 if is_whole else mark :], is_whole)


@dataclass(frozen=True, slots=True)
class GeneratedRows:
    """Rows that DuckDB generates whenever they are read, for a log larger than memory.

    Attributes:
        statement: A query in DuckDB's dialect with the columns of the table.
    """

    statement: str
