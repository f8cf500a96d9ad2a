"""The initial data of a simulated workspace: a company and its tokens."""
