"""Tests of the sandbox, over real HTTP wherever there is a wire."""
