"""Tests of parley.engines."""
