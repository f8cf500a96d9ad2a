"""The commands of the magic and the shell: their table, their implementation and their parser."""
