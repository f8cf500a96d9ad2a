"""What commands on the pages print in a terminal, at a fixed time: as text below the command, or as a picture.

A block of ``output`` or a picture ``….svg`` that follows a block of commands shows what the last of them prints.
``TOKENKIT_REWRITE=1 pytest tests/test_documentation.py`` writes both anew.
"""

import contextlib
import hashlib
import io
import re

import pytest
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tokenkit import cli

COLUMNS = 110
_MOST_LINES = 14
# What differs from run to run: IDs of runs, and of tokens that a page creates.
_DIFFERENT = {
    r"\b\d{8}-\d{6}-[0-9a-f]{8}\b": "20260301-093000-1a2b3c4d",
    r"(?<=tokenkit revoke )[0-9a-f]{64}\b": hashlib.sha256(b"example").hexdigest(),
}
_PROGRESS = re.compile(r"\d+%\|")  # a bar, which a slow machine shows
# Colors that have a contrast of 4.5 on white; the picture has a light background in the dark theme of the site too.
_THEME = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [
        (31, 35, 40),
        (179, 29, 40),
        (17, 99, 41),
        (125, 78, 0),
        (9, 105, 218),
        (110, 64, 201),
        (27, 124, 131),
        (87, 96, 106),
    ],
)
_PICTURE = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class _Terminal(io.StringIO):
    """A terminal that is only written to."""

    def isatty(self):
        return True


def in_terminal(argv, hosts):
    """Run a command line as in a terminal, and return its exit code and what is then on the screen, with colors.

    Args:
        argv: The arguments of ``tokenkit``.
        hosts: What is shown for the addresses of a sandbox, which differ from run to run.
    """
    terminal = _Terminal()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLUMNS", str(COLUMNS))
        patched.setenv("TERM", "xterm-256color")
        patched.delenv("NO_COLOR", raising=False)
        patched.setattr("sys.stdin", io.StringIO())
        with contextlib.redirect_stdout(terminal), contextlib.redirect_stderr(terminal):
            code = cli.main(argv)
    # What follows a carriage return is drawn over the bar of progress before it.
    lines = (line.rpartition("\r")[2] for line in re.split(r"\r?\n", terminal.getvalue()))
    text = "\n".join(line for line in lines if not _PROGRESS.search(line))
    for address, name in hosts.items():
        text = text.replace(address, name)
    for pattern, shown in _DIFFERENT.items():
        text = re.sub(pattern, shown, text)
    return code, text.replace("\x1b[K", "")


def as_text(screen):
    """Return the lines of a screen without colors; of a long table the first, and the summary."""
    lines = [line.rstrip() for line in Text.from_ansi(screen).plain.splitlines() if line.strip()]
    if len(lines) <= _MOST_LINES:
        return "".join(f"{line}\n" for line in lines)
    return "".join(f"{line}\n" for line in [*lines[: _MOST_LINES - 2], "…", lines[-1]])


def as_picture(command, screen):
    """Return a screen with its command as SVG."""
    lines = [line for line in screen.splitlines() if Text.from_ansi(line).plain.strip()]
    if len(lines) > 2 * _MOST_LINES:
        lines = [*lines[: 2 * _MOST_LINES - 2], "…", lines[-1]]
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(Text.from_ansi("\n".join([f"\x1b[1m$ {command}\x1b[0m", *lines])))
    return console.export_svg(title="", theme=_THEME, code_format=_PICTURE, unique_id="terminal")
