"""HTML with escaped text: only the results of ``element`` are treated as HTML."""

from __future__ import annotations

from tokenkit.core.printable import printable_lines

_VOID = frozenset({"img", "meta", "source"})


class Markup(str):
    """HTML from ``element``; any other string is text."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str) -> Markup:
    """Return an element with its children.

    Args:
        name: The name of the element, such as ``td``.
        children: The content: ``Markup`` is used unchanged, any other string is escaped.
        attributes: The attributes by name; ``class_`` is ``class``, ``http_equiv`` is ``http-equiv``.
    """
    html = "".join(f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{html}>" if name in _VOID else f"<{name}{html}>{join_markup(*children)}</{name}>")


def join_markup(*children: str) -> Markup:
    """Concatenate markup and text; text is escaped."""
    return Markup("".join(child if isinstance(child, Markup) else _escaped(child) for child in children))


def _escaped(text: str) -> str:
    import html  # noqa: PLC0415 - its table of entities is large

    return html.escape(printable_lines(text))
