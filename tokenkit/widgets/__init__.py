"""The interactive screens for notebooks: the explorer and the permission review.

``facets``, ``model``, ``sections``, ``formatting``, ``plan_table``, ``decision`` and ``draft`` do not use widgets: they
describe a screen as plain data. ``face`` shows it, as ``front`` (JavaScript) or ``plain`` (ipywidgets). Nothing
here imports the layers above; a screen gets callables as arguments.
"""
