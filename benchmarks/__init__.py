"""Runnable comparisons that print ratios. Timings are never asserted in tests."""
