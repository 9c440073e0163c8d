"""Parley: an AI voice agent for people who already run a PBX."""

__version__ = "0.1.0"
