from pathlib import Path

from tokenkit.sandbox.serving.reference import with_endpoints

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"


def test_the_page_lists_the_endpoints_of_the_tables():
    page = PAGE.read_text("utf-8")
    assert page == with_endpoints(page), "run: python -m tokenkit.sandbox.serving.reference docs/sandbox.md"
