"""Files: for a browser to save, in parts, because front ends limit the size of a message; or where the kernel runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tokenkit import errors
from tokenkit.widgets.face import Face

_PART_LETTERS = 240_000  # a letter can need four bytes, and some front ends allow a message one megabyte


class Download:
    """Downloads of tokens as CSV.

    Args:
        face: Where the file goes to.
        text: Returns the text of the file.
        name: Returns the name of the file.
    """

    def __init__(self, face: Face, text: Callable[..., str], name: Callable[[], str]) -> None:
        self._face, self._text, self._name = face, text, name
        self._parts: list[str] = []
        self._number = 0

    def offer(self, *, selected: bool) -> None:
        """Offer a file to the browser, which asks for its parts one after the other."""
        text = self._text(selected=selected)
        self._parts = [text[start : start + _PART_LETTERS] for start in range(0, len(text), _PART_LETTERS)]
        self._number += 1
        self._face.send(
            file={"number": self._number, "name": self._name(), "parts": len(self._parts), "selected": selected}
        )

    def send_part(self, number: int, part: int) -> None:
        """Send a part of the last file."""
        if number == self._number and 0 <= part < len(self._parts):
            self._face.send(part={"number": number, "part": part, "text": self._parts[part]})
            if part + 1 == len(self._parts):
                self._parts = []


def write_new(target: Path, text: str) -> Path:
    """Write a text to a file where the kernel runs, and return its path.

    Raises:
        UsageError: The file exists, or cannot be written.
    """
    try:
        with target.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError:
        problem = f"File exists: {target}. Use another name."
    except OSError as error:
        problem = f"Cannot write {target}: {error.strerror}. Check the path."
    else:
        return target
    raise errors.UsageError(problem)
