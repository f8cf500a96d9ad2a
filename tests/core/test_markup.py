"""HTML with escaped text."""

import pytest

from tokenkit.core.markup import Markup, element, join_markup


def test_text_is_escaped_in_content_and_in_attributes_and_markup_is_not():
    inner = element("b", "1 < 2 & \"3\" '4'")
    assert inner == "<b>1 &lt; 2 &amp; &quot;3&quot; &#x27;4&#x27;</b>"
    assert element("p", inner, " <i>") == f"<p>{inner} &lt;i&gt;</p>"
    assert element("a", href="\"><script>'") == '<a href="&quot;&gt;&lt;script&gt;&#x27;"></a>'


def test_attributes_have_the_names_of_html_and_void_elements_have_no_end_tag():
    assert element("meta", http_equiv="x") == '<meta http-equiv="x">'
    assert element("td", class_="number", name="y") == '<td class="number" name="y"></td>'


@pytest.mark.parametrize("change", [str.lower, str.strip, lambda markup: markup + "<", lambda markup: f"{markup}<"])
def test_any_string_operation_on_markup_returns_text(change):
    assert not isinstance(change(element("b")), Markup)
    assert join_markup(change(element("b"))).startswith("&lt;b&gt;")
