"""The title of an HTML page that was received instead of JSON. The module is separate because it is rarely needed."""

from __future__ import annotations

import html
import re

# Databricks' error pages have the message in ``<pre>``. HTML parsers can fail on hostile pages.
_TITLE = re.compile(r"<(?:title|pre)\b[^>]{0,200}>([^<]{0,4000})", re.IGNORECASE)


def title(content: bytes) -> str:
    """Return the title of a page. It is not truncated, because half a credential could not be recognized."""
    texts = _TITLE.findall(content[:20_000].decode("utf-8", "replace"))
    return " ".join(html.unescape(" ".join(texts)).split()) or "a web page without a title"
