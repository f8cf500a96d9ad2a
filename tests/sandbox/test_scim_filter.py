import pytest

from tokenkit.sandbox.answers import ScimError
from tokenkit.sandbox.scim_filter import condition


@pytest.fixture
def find(state):
    for name in ("ann@example.com", "anna@example.com", "ben@example.com"):
        state.directory.add("user", name, f'{name[:3]} "x" O\'Neil', active=name[0] == "a")

    def find(text):
        where, parameters = condition(text, "user")
        names = [each.name.partition("@")[0] for each in state.directory.page("user", where, parameters)]
        return sorted(set(names) & {"ann", "anna", "ben"})

    return find


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["ann", "anna", "ben"]),
        ('userName eq "ANN@example.com"', ["ann"]),
        ('USERNAME EQ "ann@example.com"', ["ann"]),
        ('userName ne "ann@example.com"', ["anna", "ben"]),
        ('userName sw "ann"', ["ann", "anna"]),
        ('userName co "NNA@"', ["anna"]),
        ('userName sw "%"', []),
        ('userName sw "ann" and userName ne "ann@example.com"', ["anna"]),
        ('userName eq "ben@example.com" or userName eq "ann@example.com"', ["ann", "ben"]),
        ('userName sw "ben" or userName sw "ann" and userName co "nna"', ["anna", "ben"]),
        ('displayName eq "ben \\"x\\" O\'Neil"', ["ben"]),
        ('active eq false and userName co "n"', ["ben"]),
        ('userName eq "a and b"', []),
        ("id eq 5", []),
        ("id eq 9223372036854775807", []),
        ("userName eq 'ann@example.com'", ["ann"]),
        ("userName eq ann@example.com", ["ann"]),
        ("userName sw ann and userName ne 'ann@example.com'", ["anna"]),
        ("displayName eq 'ben \"x\" O\\'Neil'", ["ben"]),
    ],
)
def test_a_filter_finds(find, text, found):
    assert find(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "userName",
        "userName eq",
        "userName eq true",
        'userName eq "ann',
        'userName gt "ann"',
        'shoeSize eq "42"',
        'userName eq "a" xor userName eq "b"',
        'userName eq "a" and',
        'userName eq "a") OR 1=1 --',
        'userName eq "\\q"',
        'active eq "true"',
        "active co true",
        '(userName eq "a")',
        'userName eq "\\ud83d"',
        'id eq "²"',
        "id eq 9223372036854775808",
        "userName eq 'ann",
        "userName eq 'a'b",
        " or ".join(["id eq 5"] * 101),
    ],
)
def test_what_is_no_filter_is_refused(text):
    with pytest.raises(ScimError) as refusal:
        condition(text, "user")
    assert (refusal.value.status, refusal.value.scim_type) == (400, "invalidFilter")
