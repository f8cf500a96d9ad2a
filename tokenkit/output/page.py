"""Renders a page from a template. All values are cleaned, redacted and escaped automatically.

Every value passes through ``_shown``, and the environment has none of Jinja's filters, including ``safe``. Only the
style, the charts and escaped texts with dates are ``Verbatim``, which only this module creates. The page's
Content-Security-Policy forbids everything else.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from tokenkit.core.markup import element, join_markup
from tokenkit.core.printable import printable
from tokenkit.core.redaction import redact
from tokenkit.core.wording import SHORT_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment


_DATE = re.compile(r"(\d{4}-\d\d-\d\d)")


class Verbatim(str):
    """Content that a page includes unchanged: no part of it comes from a workspace or a user, or it is escaped."""

    __slots__ = ()

    def __html__(self) -> Verbatim:
        return self


def render(template: str, *, css: str, context: Mapping[str, object]) -> str:
    """Return a page.

    Args:
        template: The name of a file next to this module. It includes ``policy`` and ``style``.
        css: The complete style of the page, without text from a workspace or a user.
        context: The other values of the template. A missing name is an error.
    """
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return _environment().get_template(template).render(context, policy=policy, style=Verbatim(css))


def picture(png: bytes) -> Verbatim:
    """Return an image as a data URI."""
    # Verbatim, because redaction could match random Base64 text.
    return Verbatim(f"data:image/png;base64,{base64.b64encode(png).decode()}")


@functools.cache
def _environment() -> Environment:
    import jinja2  # noqa: PLC0415 - only for pages

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tokenkit", "output"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.clear()
    environment.filters = {
        "thousands": _thousands,
        "short_id": _short_id,
        "truncated": _truncated,
        "whole_dates": _whole_dates,
    }
    return environment


def _shown(value: object) -> object:
    """Return a value as redacted text on one line; ``Verbatim`` and the output of macros are returned unchanged."""
    return value if hasattr(value, "__html__") else redact(printable(" ".join(str(value).split())))


def _thousands(count: int | str) -> str:
    return f"{int(count):,}"


def _short_id(text: str) -> str:
    return str(_shown(text))[:SHORT_ID]  # after redaction, which would not match part of a secret


def _truncated(text: str, length: int) -> str:
    shown = str(_shown(text))
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def _whole_dates(text: str) -> Verbatim:
    """Return a text in which no line is broken within a date: a browser would break it after a hyphen."""
    parts = _DATE.split(str(_shown(text)))
    dates = [element("span", date, class_="nowrap") for date in parts[1::2]]
    return Verbatim(join_markup(*(part for pair in zip_longest(parts[::2], dates, fillvalue="") for part in pair)))
