"""Tests of parley.inference."""
