"""Changes: plans that can be previewed, runs that can be stopped and resumed, and a journal of each token's outcome.

The modules are imported on first use, as ``actions.revocation``: what only reads needs none of them, and to import all
takes as long as to read a thousand tokens.
"""

from tokenkit.core.modules import on_first_use

__getattr__ = on_first_use(__name__)
