"""The titles of pages that are received instead of JSON."""

import pytest

from tokenkit.rest import pages


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (b"<html><title>Sign in\n to  Databricks</title><body>Error</body></html>", "Sign in to Databricks"),
        (b"<h1>Error</h1><pre>Invalid access token.</pre> more", "Invalid access token."),
        (b"<title>A &amp; B &lt;script&gt;</title>", "A & B <script>"),
        (b"<title>" + b"long " * 100 + b"</title>", ("long " * 100).strip()),
        (b"<title>cut sho", "cut sho"),
        (b"<p>\xff", "a web page without a title"),
        (b"<title> </title>", "a web page without a title"),
    ],
)
def test_the_title_of_a_page_is_its_title_element_or_its_error_message(page, title):
    assert pages.title(page) == title
