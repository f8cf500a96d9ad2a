"""Benchmarks that print ratios. Tests never assert timings."""
