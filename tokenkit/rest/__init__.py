"""The wire: the only floor that speaks HTTP, and the only one that imports requests."""
