"""The documentation site: the Markdown of the repository where it stands, the guides, and the docstrings.

Made by ``sphinx-build --fail-on-warning -c docs . site`` (extra ``docs``). The sources' root is the repository, so that
a link in the README leads to the same page there, here and in an editor. The guides are shown with the outputs they
store, which nbval holds to what the code does; nothing is executed here, and nothing is fetched.
"""

from importlib.metadata import version as version_of

project = "tokenkit"
copyright = "the tokenkit founders, Apache-2.0"  # noqa: A001 - Sphinx's name
version = release = version_of("tokenkit-databricks")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = ["*.md", "benchmarks/*.md", "docs/**", "notebooks/*.ipynb"]
exclude_patterns = [".venv", "site", "docs/_templates"]
html_theme = "furo"
html_title = "tokenkit"
templates_path = ["_templates"]
html_additional_pages = {"index": "redirect.html"}  # the root page's own address is docs/index.html

nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, object] = {}  # no script of a content network; a widget stands as its stored text
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"  # plans and the like are made by methods, so their constructors are no news
napoleon_use_rtype = False
napoleon_use_ivar = True
