"""The error of a statement."""

from __future__ import annotations


class SqlError(Exception):
    """A statement that the engine rejects or that fails, with the message of Databricks."""

    def __init__(self, message: str, error_code: str = "BAD_REQUEST") -> None:
        super().__init__(message)
        self.error_code = error_code
