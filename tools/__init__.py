"""Standard-library tools that prepare a fresh checkout; run before anything is installed."""
