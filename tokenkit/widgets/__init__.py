"""The screens: what an admin filters, ticks, confirms and watches in a notebook.

``facets`` and ``model`` know nothing of widgets; ``table``, ``confirmation``, ``work`` and ``style`` are what every
screen is made of; ``explorer`` is one. Nothing here imports the desk: a screen is handed what it needs.
"""
