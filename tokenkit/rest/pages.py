"""What a page says of itself, where JSON was asked for; a module of its own, as most connections never see a page."""

from __future__ import annotations

from html.parser import HTMLParser


def title(content: bytes) -> str:
    """Return what a page calls itself, cut to a line."""
    reader = _TitleReader()
    reader.feed(content[:20_000].decode("utf-8", "replace"))
    return " ".join(reader.title.split())[:200] or "a web page without a title"


class _TitleReader(HTMLParser):
    """Collects the text of ``<title>``, or of ``<pre>``, where Databricks' own error pages put the message."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's signature
        self._inside = tag in {"title", "pre"}

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - HTMLParser's signature
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.title += f" {data}"
