"""Packages whose modules are imported on first use."""

import sys

import pytest

from tokenkit.core.modules import on_first_use


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The name of a package with the modules ``there`` and ``broken``; the latter imports what is not installed."""
    (tmp_path / "lazy_package").mkdir()
    (tmp_path / "lazy_package" / "__init__.py").touch()
    (tmp_path / "lazy_package" / "there.py").touch()
    (tmp_path / "lazy_package" / "broken.py").write_text("import not_installed")
    monkeypatch.syspath_prepend(tmp_path)
    yield "lazy_package"
    for name in [name for name in sys.modules if name.startswith("lazy_package")]:
        del sys.modules[name]


def test_a_module_is_imported_when_it_is_named_first(package):
    module_of = on_first_use(package)
    assert "lazy_package.there" not in sys.modules
    assert module_of("there") is sys.modules["lazy_package.there"]


def test_a_module_that_does_not_exist_is_a_missing_attribute_and_one_that_cannot_be_imported_is_not(package):
    with pytest.raises(AttributeError, match="module 'lazy_package' has no attribute 'nothing'"):
        on_first_use(package)("nothing")
    with pytest.raises(ModuleNotFoundError, match="not_installed"):
        on_first_use(package)("broken")
