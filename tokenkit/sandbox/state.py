"""One workspace's whole state: its tokens, identities, permissions and settings, over the one database."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tokenkit.sandbox.directory import ADMINS, Directory
from tokenkit.sandbox.permissions import Permissions
from tokenkit.sandbox.secrets import Secrets
from tokenkit.sandbox.settings import Settings
from tokenkit.sandbox.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenkit.sandbox.database import Database


class State:
    """What a workspace knows. Tests read it directly; each call is safe in any thread."""

    def __init__(self, database: Database, workspace_id: int, entropy: Callable[[int], bytes]) -> None:
        self.database = database
        self.workspace_id = workspace_id
        self._entropy = entropy
        self.tokens = Tokens(database, workspace_id, entropy)
        self.directory = Directory(database, workspace_id, entropy)
        self.permissions = Permissions(database, workspace_id, self.directory, self.tokens)
        self.settings = Settings(database, workspace_id)
        self.secrets = Secrets(database, workspace_id)

    def __repr__(self) -> str:
        return f"<State of workspace {self.workspace_id}>"

    def is_admin(self, identity_id: int) -> bool:
        """Tell whether someone is in ``admins``, nested groups included."""
        return self.directory.is_in(identity_id, ADMINS)

    def new_uuid(self) -> str:
        """Return a new application id."""
        return str(uuid.UUID(bytes=self._entropy(16), version=4))
