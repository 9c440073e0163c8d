"""Benchmarks; each writes build/bench/NAME.json."""
