"""How long engines may load: one figure for the worker, and one for whoever waits for it."""

LOAD_S = 120.0
"""An engine whose model is not loaded by then is left out; a large Whisper from a slow disk takes most of it."""
START_S = LOAD_S + 30.0
"""From a worker's start to its readiness: who killed it earlier would kill it again at each start."""
