"""The changes that ``python -m benchmarks.mutants`` makes: each kind, and what is left alone."""

import ast
from pathlib import Path

import pytest

import tokenkit
from benchmarks import mutations

CHANGES = {
    "a == b": ["a != b"],
    "a < b <= c": ["a <= b <= c", "a < b < c"],
    "a is None": ["a is not None"],
    "a in b": ["a not in b"],
    "a and b": ["a or b"],
    "not a": ["a"],
    "-a": ["a"],
    "a + b": ["a - b"],
    "a & ~b": ["a | ~b", "b"],
    "a = 1": ["2"],
    "a = True": ["False"],
    "a = 'b'": ["'bXX'"],
    "a = f'{b}:c'": ["':cXX'"],
    "a += b": ["a -= b", "pass"],
    "f(a, b=c)": ["pass", "without the keyword"],
    "raise f()": ["pass"],
    "if a: b": ["not a"],
    "if not a: b": ["a"],
    "if a == b: c": ["a != b"],
    "[a for a in b if c]": ["not c"],
    "def f(a=1): return a": ["2", "return None"],
    "for a in b:\n  break": ["continue"],
    "@dataclass(frozen=True, repr=False)\nclass A: b = c": ["without the keyword", "True"],
}
LEFT_ALONE = [
    '"""A docstring, 1 == 1."""',
    "import a",
    "__all__ = ['a']",
    "a: Literal['b']",
    "def f(a: Literal['b']) -> Literal['c']: ...",
    "a = cast('b', c)",
    "if TYPE_CHECKING:\n  a = 1",
    "if __name__ == '__main__':\n  a = 1",
    "a = 'not found'",
    "f(f'{a} of {b} tokens')",
    "return None",
    "a = zip(b, c, strict=True)",
    "@dataclass(frozen=True, kw_only=True, slots=True)\nclass A:\n  b: int",
    "@dataclasses.dataclass(frozen=True)\nclass A:\n  b: int",
]


@pytest.mark.parametrize("source", CHANGES)
def test_each_kind_of_code_changes_in_one_place_at_a_time(source):
    changed = [mutations.mutate(source, number) for number in range(mutations.count(source))]
    assert [mutation.after for mutation in changed] == CHANGES[source]
    assert ast.unparse(ast.parse(source)) + "\n" not in [mutation.source for mutation in changed]


@pytest.mark.parametrize("source", LEFT_ALONE)
def test_what_is_no_behavior_does_not_change(source):
    assert mutations.count(source) == (1 if source.startswith("f(") else 0)  # a call that is removed


def test_a_mutant_is_a_module_that_differs_in_the_lines_that_it_names():
    source = Path(tokenkit.__file__).with_name("core").joinpath("wording.py").read_text()
    same = ast.unparse(ast.parse(source)).splitlines()
    for number in range(mutations.count(source)):
        mutation = mutations.mutate(source, number)
        compile(mutation.source, "wording.py", "exec")
        assert same != mutation.source.splitlines()
        assert 1 <= mutation.first_line <= mutation.last_line <= len(source.splitlines())


def test_a_part_of_a_long_block_has_its_own_lines_and_not_those_of_the_block():
    mutation = mutations.mutate("if (\n  a\n  == b\n):\n  c\n  d\n", 0)
    assert (mutation.first_line, mutation.last_line, mutation.after) == (2, 3, "a != b")
