"""What a browser makes of a piece of HTML: its elements, each with its text."""

from html.parser import HTMLParser

KNOWN = {
    "a",
    "b",
    "code",
    "details",
    "div",
    "li",
    "p",
    "style",
    "summary",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self._open = [], []

    def handle_starttag(self, tag, _attrs):
        assert tag in KNOWN, f"<{tag}> is no element of HTML"
        if tag == "div":
            self.handle_data(" ")  # it is on a line of its own
        self.found.append([tag, ""])
        self._open.append(self.found[-1])

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag, f"</{tag}> ends another element"

    def handle_data(self, data):
        for element in self._open:
            element[1] += data


def texts(html, tag):
    """Return the texts of the elements with a tag, in order; all elements must be known, and end where they should."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    assert parser._open == []
    return [" ".join(text.split()) for name, text in parser.found if name == tag]
