import ast
import sys
from pathlib import Path

import pytest

import tokenkit.sandbox


def test_its_names_are_these_and_each_is_there():
    names = ["DatabaseUnusableError", "Fault", "RequestRecord", "Sandbox", "SandboxWorkspace"]
    assert tokenkit.sandbox.__all__ == names
    assert all(isinstance(getattr(tokenkit.sandbox, name), type) for name in names)
    with pytest.raises(AttributeError):
        tokenkit.sandbox.Nothing  # noqa: B018


def test_it_imports_itself_and_the_standard_library_alone():
    for path in Path(tokenkit.sandbox.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.startswith("tokenkit.sandbox") or name.split(".")[0] in sys.stdlib_module_names, path


def test_no_module_is_long():
    for path in Path(tokenkit.sandbox.__file__).parent.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
