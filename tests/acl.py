"""Entries of access control lists for tests."""

from tokenkit.commands.options import entry_of


def entry(text):
    """Return the entry of a text such as ``group:analysts``, as the commands read it; with CAN_USE by default."""
    return {"permission_level": "CAN_USE"} | entry_of(text)
