"""Reviews: pure functions from frames to frames. They send no requests and take the time as an argument.

The modules are imported on first use, as ``review.audit``: a listing needs few of them.
"""

from tokenkit.core.modules import on_first_use

__getattr__ = on_first_use(__name__)
