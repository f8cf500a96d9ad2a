"""The state of a simulated workspace, in one SQLite database."""
