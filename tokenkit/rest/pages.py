"""What a page says of itself, where JSON was asked for; a module of its own, as most connections never see a page."""

from __future__ import annotations

import html
import re

# ``<pre>`` is where Databricks' own error pages put the message. No parser of HTML: those fail on hostile pages.
_TITLE = re.compile(r"<(?:title|pre)\b[^>]{0,200}>([^<]{0,1000})", re.IGNORECASE)


def title(content: bytes) -> str:
    """Return what a page calls itself, cut to a line."""
    texts = _TITLE.findall(content[:20_000].decode("utf-8", "replace"))
    return " ".join(html.unescape(" ".join(texts)).split())[:200] or "a web page without a title"
