"""HTML in which every text is escaped, because only what ``element`` made is taken for HTML."""

from __future__ import annotations

from tokenkit.printable import printable_lines

_VOID = frozenset({"img", "meta", "source"})


class Markup(str):
    """HTML that ``element`` made; any other string is text."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str) -> Markup:
    """Return an element with its children.

    Args:
        name: Of the element, such as ``td``.
        children: What it holds: ``Markup`` as it is, any other string as text.
        attributes: By their names; ``class_`` is ``class``, ``http_equiv`` is ``http-equiv``.
    """
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{said}>" if name in _VOID else f"<{name}{said}>{joined(*children)}</{name}>")


def joined(*children: str) -> Markup:
    """Return several pieces one after the other, texts escaped."""
    return Markup("".join(each if isinstance(each, Markup) else _escaped(each) for each in children))


def _escaped(text: str) -> str:
    import html  # noqa: PLC0415 - its table of entities is of no use until something is shown

    return html.escape(printable_lines(text))
