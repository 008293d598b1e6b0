"""Benchmarks: `python -m tests.bench` prints one table and writes it as JSON. Ratios beside a peer, never a test."""
