"""Reviews: pure functions from frames to frames. No request, no clock but the one passed in."""
