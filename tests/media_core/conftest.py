"""Property tests without a deadline: a slow example says something of the machine, not of the code."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
