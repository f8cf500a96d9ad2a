"""One workspace: connecting to it, its methods, the resuming of its runs, and its changes."""
