"""The documentation site in the folder ``TOKENKIT_SITE``: an admin finds the answers from its landing page."""

import functools
import os
import tomllib
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

ROOT = Path(__file__).parent.parent
SITE = os.environ.get("TOKENKIT_SITE")
MOST_LINKS = 2
START = "docs/index.html"
QUESTIONS = [
    (f"docs/{'/'.join(path)}.html", asked, heading)
    for path, answers in (
        (path, answers)
        for name, table in tomllib.loads((ROOT / "tests" / "questions.toml").read_text("utf-8"))["docs"].items()
        for path, answers in (
            [((name, page), answers) for page, answers in table.items()] if name == "how-to" else [((name,), table)]
        )
    )
    for asked, heading in answers.items()
]


@pytest.fixture(scope="module")
def site():
    if SITE is None:
        pytest.skip("no site: build it (CONTRIBUTING), and set TOKENKIT_SITE to its folder, as .ci/run does")
    return Path(SITE)


@functools.cache
def page_of(site, path):
    return Page(site, path)


class Page:
    """A page of the site, without its navigation."""

    def __init__(self, site, path):
        from bs4 import BeautifulSoup  # noqa: PLC0415 - of the extra docs

        self.path = path
        self.html = BeautifulSoup((site / path).read_text("utf-8"), "html.parser")
        self.article = self.html.find("article")

    def links(self):
        """Return the pages and headings that the text links to."""
        found = (urljoin(self.path, link["href"]) for link in self.article.find_all("a", href=True))
        return {link for link in found if not urlsplit(link).netloc}

    def headings(self):
        """Return the text of each heading by its anchor; that of the page has none."""
        sections = [section for section in self.article.find_all("section") if section.find(["h1", "h2", "h3"])]
        found = {section["id"]: section.find(["h1", "h2", "h3"]).get_text().rstrip("¶#") for section in sections}
        return found | {"": next(iter(found.values()), "")}


@pytest.fixture(scope="module")
def reached(site):
    """The headings that are at most two links from the landing page, by page."""
    targets, found = {START}, {}
    for _ in range(MOST_LINKS):
        pages = {urlsplit(target).path for target in targets}
        targets |= {
            link
            for path in pages
            if path.endswith(".html") and path.startswith("docs/")
            for link in page_of(site, path).links()
        }
    for target in targets:
        address = urlsplit(target)
        if address.path.endswith(".html") and (site / address.path).exists():
            headings = page_of(site, address.path).headings()
            assert address.fragment in headings or not address.path.startswith("docs/how-to/"), target
            found.setdefault(address.path, set()).update(headings.values())
    return found


def test_there_are_thirty_questions():
    assert len({asked for _, asked, _ in QUESTIONS}) >= 30


@pytest.mark.parametrize(("page", "asked", "heading"), QUESTIONS, ids=lambda value: value)
def test_the_answer_is_two_links_from_the_landing_page(reached, page, asked, heading):  # noqa: ARG001 - names the test
    assert page in reached
    assert heading in reached[page]


def test_the_landing_page_links_to_every_section_of_the_how_to_pages(site):
    links = page_of(site, START).links()
    for file in sorted((site / "docs" / "how-to").glob("*.html")):
        path = f"docs/how-to/{file.name}"
        missing = [anchor for anchor in page_of(site, path).headings() if anchor and f"{path}#{anchor}" not in links]
        assert len(missing) <= 1, missing  # the page itself is linked without an anchor


def test_every_answer_has_something_to_run(site):
    for page, _, heading in QUESTIONS:
        if page.startswith("docs/how-to/"):
            article = page_of(site, page).article
            section = next(
                each
                for each in article.find_all("section")
                if each.find(["h1", "h2"]).get_text().rstrip("¶#") == heading
            )
            assert section.find(["pre", "code"]), heading


def test_the_questions_of_a_page_are_about_what_it_says(site):
    """A question is found by the search of the site too: each has a word that is on its page."""
    for page, asked, _ in QUESTIONS:
        text = page_of(site, page).article.get_text().lower()
        assert any(word.strip(",").lower().rstrip("s") in text for word in asked.split() if len(word) > 3), asked


def test_nothing_of_the_site_is_fetched_from_elsewhere(site):
    page = page_of(site, START)
    sources = [tag.get("src") or tag.get("href") for tag in page.html.find_all(["script", "link", "img"])]
    assert not [source for source in sources if source and urlsplit(source).netloc]
    for picture in (ROOT / "docs" / "images").glob("*.svg"):
        assert "url(http" not in picture.read_text("utf-8")
