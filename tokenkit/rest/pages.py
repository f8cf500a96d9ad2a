"""What a page says of itself, where JSON was asked for; a module of its own, as most connections never see a page."""

from __future__ import annotations

import html
import re

# ``<pre>`` is where Databricks' own error pages put the message. No parser of HTML: those fail on hostile pages.
_TITLE = re.compile(r"<(?:title|pre)\b[^>]{0,200}>([^<]{0,4000})", re.IGNORECASE)


def title(content: bytes) -> str:
    """Return what a page calls itself; not cut to a line, as half a credential cannot be told from other text."""
    texts = _TITLE.findall(content[:20_000].decode("utf-8", "replace"))
    return " ".join(html.unescape(" ".join(texts)).split()) or "a web page without a title"
