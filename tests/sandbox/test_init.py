import ast
import sys
from pathlib import Path

import pytest

import tokenkit.sandbox


def test_the_public_names_exist():
    names = ["DatabaseUnusableError", "Fault", "RequestRecord", "Sandbox", "SandboxWorkspace"]
    assert tokenkit.sandbox.__all__ == names
    assert all(isinstance(getattr(tokenkit.sandbox, name), type) for name in names)
    with pytest.raises(AttributeError):
        tokenkit.sandbox.Nothing  # noqa: B018


WAREHOUSE = {"results.py", "sql_engine.py", "sql_limits.py", "sql_translation.py"}
OF_THE_WAREHOUSE = {"duckdb", "pyarrow", "sqlglot"}  # imported with the first statement


def test_the_sandbox_imports_only_itself_and_the_standard_library():
    for path in Path(tokenkit.sandbox.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                allowed = sys.stdlib_module_names | (OF_THE_WAREHOUSE if path.name in WAREHOUSE else set())
                assert name.startswith("tokenkit.sandbox") or name.split(".")[0] in allowed, path


def test_no_module_is_long():
    for path in Path(tokenkit.sandbox.__file__).parent.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
