"""What axe-core finds on a page: https://github.com/dequelabs/axe-core."""

from axe_playwright_python.sync_playwright import Axe


def violations(page, context=".tk"):
    """Return what axe-core objects to in a part of a page: the rule, and the first of its elements."""
    found = Axe().run(page, context=context).response["violations"]
    return [f"{violation['id']}: {violation['nodes'][0]['html'][:200]}" for violation in found]
