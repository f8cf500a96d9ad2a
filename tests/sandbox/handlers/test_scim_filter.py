import pytest

from tokenkit.sandbox.handlers.scim_filter import condition
from tokenkit.sandbox.responses import ScimError


@pytest.fixture
def find(state):
    for name in ("ann@example.com", "anna@example.com", "ben@example.com"):
        attributes = (
            {"name": {"givenName": name[:3].title()}, "externalId": f"id of {name[:3]}"} if name[0] == "b" else {}
        )
        state.directory.add("user", name, f'{name[:3]} "x" O\'Neil', active=name[0] == "a", attributes=attributes)

    def find(text):
        where, parameters = condition(text, "user")
        names = [user.name.partition("@")[0] for user in state.directory.page("user", where, parameters)]
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
        ('emails eq "ann@example.com"', ["ann"]),
        ('emails.value sw "anna"', ["anna"]),
        ('name.givenName eq "ben"', ["ben"]),
        ('name.givenName ne "Ben" and userName sw "ann"', ["ann", "anna"]),
        ('externalId eq "id of ben"', ["ben"]),
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
def test_an_invalid_filter_is_rejected(text):
    with pytest.raises(ScimError) as error:
        condition(text, "user")
    assert (error.value.status, error.value.scim_type) == (400, "invalidFilter")
