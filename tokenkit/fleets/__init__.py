"""Several workspaces as one."""
