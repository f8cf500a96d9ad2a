"""Modules for all layers: the clock, the state folder, prompts, redaction, markup and wording."""
