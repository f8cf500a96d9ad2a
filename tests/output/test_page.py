"""A page from a template: a template cannot omit escaping or redaction, or use an unknown name."""

import base64
import datetime as dt
import hashlib
import re

import jinja2
import pytest

from tests.conftest import NOW
from tests.output.test_report import Page, audited
from tokenkit.output import page, report
from tokenkit.review.waivers import Waiver

SECRET = "dapi" + "0123456789abcdef" * 2
HOSTILE = f"\"'><script>x</script>\n\t{SECRET} \x1b[2J\u202e\u200b"
CLEAN = "&#34;&#39;&gt;&lt;script&gt;x&lt;/script&gt; [redacted] \ufffd[2J\ufffd\ufffd"


def rendered(source, **context):
    return page._environment().from_string(source).render(context)


@pytest.mark.parametrize(
    "source",
    [
        "{{ text }}",
        "{{ row.text }}",
        "{{ row['text'] }}",
        "{{ [text][0] }}",
        "{% for each in [text] %}{{ each }}{% endfor %}",
        "{% set other = text %}{{ other }}",
        "{% macro shown(it) %}{{ it }}{% endmacro %}{{ shown(text) }}",
        "{% macro box() %}{{ caller() }}{% endmacro %}{% call box() %}{{ text }}{% endcall %}",
        "{{ text ~ '' }}",
        "{{ '%s' % text }}",
        "{{ text.strip() if text else '' }}",
        "{{ text | truncated(500) }}",
    ],
)
def test_text_is_clean_however_a_template_shows_it(source):
    assert rendered(source, text=HOSTILE, row={"text": HOSTILE}) == CLEAN


def test_text_does_not_end_an_attribute_that_contains_it():
    assert rendered('<a title="{{ text }}">', text=HOSTILE) == f'<a title="{CLEAN}">'


@pytest.mark.parametrize("template", page._environment().list_templates(extensions=["jinja"]))
def test_a_template_quotes_attributes_and_puts_no_text_together_with_markup(template):
    environment = page._environment()
    source, _, _ = environment.loader.get_source(environment, template)
    assert not re.search(r"=\s*\{[{%]", re.sub(r"\{%.*?%\}", "", source))
    # Text combined with the result of a macro counts as markup. It would be escaped but not redacted.
    together = (jinja2.nodes.Concat, jinja2.nodes.Add, jinja2.nodes.Mod, jinja2.nodes.MarkSafe)
    assert [*environment.parse(source).find_all(together)] == []


@pytest.mark.parametrize("name", ["safe", "e", "escape", "forceescape", "xmlattr", "join", "format"])
def test_a_template_has_no_filter_that_would_let_text_through(name):
    with pytest.raises(jinja2.TemplateAssertionError, match=f"No filter named '{name}'"):
        rendered(f"{{{{ text | {name} }}}}", text=HOSTILE)


@pytest.mark.parametrize("source", ["{{ misspelled }}", "{{ row.misspelled }}", "{% if misspelled %}{% endif %}"])
def test_an_unknown_name_is_an_error_and_not_a_blank(source):
    with pytest.raises(jinja2.UndefinedError, match="misspelled"):
        rendered(source, row={})


@pytest.mark.parametrize("source", ["{{ text | short_id }}", "{{ text | truncated(20) }}"])
def test_truncated_text_contains_no_part_of_a_secret(source):
    assert rendered(source, text=f"x {SECRET}")[:12] == "x [redacted]"


def parts(value):
    """Return all values in a context, at any depth."""
    if isinstance(value, dict):
        return [part for each in value.values() for part in parts(each)]
    if isinstance(value, list | tuple):
        return [part for each in value for part in parts(each)]
    return [value]


def test_only_the_charts_are_on_the_page_unescaped():
    waivers = [Waiver(rule="no-comment", reason=HOSTILE, expires=dt.date(2026, 6, 30), owner="*")]
    day = 86_400_000
    ends = int(NOW.timestamp() * 1000) + day
    documents = [
        {"token_id": HOSTILE, "comment": comment, "created_by_username": HOSTILE, "expiry_time": ends}
        for comment in (HOSTILE, "")
    ]
    audit = audited(*documents, waivers=waivers, name=HOSTILE)
    everything = parts(report._context(audit))
    assert sum("<script>" in str(part) for part in everything) > 5
    pictures = [part for part in everything if hasattr(part, "__html__")]
    assert len(pictures) == 8
    assert all(re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/]+=*", picture) for picture in pictures)
    assert "<script>" not in report.html(audit)


def test_the_policy_allows_the_style_of_the_page_by_its_digest_and_pictures_in_it_and_nothing_else():
    shown = Page(report.html(audited({"token_id": "a"})))
    (style,) = shown.texts["style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [meta["content"] for meta in shown.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    policies = [n for n, (_, attributes) in enumerate(shown.attributes) if attributes.get("content") == policy]
    assert policies < [n for n, (name, _) in enumerate(shown.attributes) if name in {"style", "img"}]
