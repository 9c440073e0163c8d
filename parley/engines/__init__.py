"""Speech engines behind the ports of parley.conversation; only the inference worker imports this package."""
