"""Pages: what a screen shows of many rows. Every screen turns them by the same events and shows the same place."""

from __future__ import annotations

from typing import Any

PAGE_SIZES = (50, 100, 250, 500)
LARGEST_PAGE = PAGE_SIZES[-1]


class Paged:
    """Rows that match filters, of which a screen shows one page.

    Args:
        page_size: Number of rows per page.

    Attributes:
        page: The index of the displayed page, from 0.
        page_size: Number of rows per page, at most 500.
    """

    def __init__(self, page_size: int) -> None:
        self.page = 0
        self.page_size = min(page_size, LARGEST_PAGE)

    @property
    def matching(self) -> int:
        """The number of rows that match the filters."""
        raise NotImplementedError

    @property
    def pages(self) -> int:
        """The number of pages; an empty listing has one."""
        return max(1, -(-self.matching // self.page_size))

    def turn(self, page: int) -> None:
        """Go to a page, or to the nearest that exists."""
        self.page = max(0, min(page, self.pages - 1))

    def resize(self, page_size: int) -> None:
        """Change the number of rows per page, and go to the first page."""
        self.page_size = max(1, min(page_size, LARGEST_PAGE))
        self.page = 0

    @property
    def place(self) -> slice:
        """Where the page is among the rows that match."""
        first = self.page * self.page_size
        return slice(first, min(first + self.page_size, self.matching))


def section(rows: Paged) -> dict[str, Any]:
    """Return what a screen shows about its page: plain data, fit for JSON."""
    return {
        "page": rows.page,
        "pages": rows.pages,
        "size": rows.page_size,
        "sizes": sorted({*PAGE_SIZES, rows.page_size}),
        "place": _words(rows.place, rows.matching),
    }


def _words(place: slice, matching: int) -> str:
    if not matching:
        return ""
    last = f" to {place.stop:,}" if place.stop > place.start + 1 else ""
    return f"{place.start + 1:,}{last} of {matching:,}"
