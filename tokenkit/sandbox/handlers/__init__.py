"""The implementation of each endpoint: a function from a call to a response."""
