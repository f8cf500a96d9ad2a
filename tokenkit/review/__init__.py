"""Reviews: pure functions from frames to frames. They send no requests and take the time as an argument."""
