"""Reads the tables that commands and plans show in a terminal."""

import itertools

from rich.cells import cell_len

OF_THE_CLOCK = ["age_days", "idle_days", "expires_in_days"]
"""The columns of a listing that are different a moment later."""


def last_column(text, heading):
    """Return the cells of the last column of a table as one text, without the line breaks of folded cells."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.endswith(heading))
    start = cell_len(lines[first].removesuffix(heading))
    cells = []
    for line in lines[first + 1 :]:
        if not line:
            break
        cells.append(_from(line, start))
    return " ".join(" ".join(cells).split())


def _from(line, start):
    """Return the part of a line from a column of the terminal on."""
    for position in range(len(line) + 1):
        if cell_len(line[:position]) >= start:
            return line[position:]
    return ""


def columns_of(text):
    """Return the columns of a table, each as one text without white space, whatever is folded in it.

    The gaps are where every line has two blanks.
    """
    lines = [_cells(line) for line in text.splitlines()]
    width = max(map(len, lines), default=0)
    grid = [[*line, *[" "] * (width - len(line))] for line in lines]
    blank = [all(line[position] == " " for line in grid) for position in range(width)]
    starts = [0, *(at for at in range(2, width) if blank[at - 1] and blank[at - 2] and not blank[at]), width]
    return [
        "".join("".join("".join(line[start:end]) for line in grid).split()) for start, end in itertools.pairwise(starts)
    ]


def _cells(line):
    """Return a line as one text for each column of the terminal; of a wide character, the second is empty."""
    return [cell for character in line for cell in (character, *[""] * (cell_len(character) - 1))]
