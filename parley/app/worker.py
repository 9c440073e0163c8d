"""Main of the inference worker: hosts the engines for the node that started it, or for a pool.

The node starts it (`wiring`); on another machine it is started by hand: `python -m parley.app.worker --help`.
"""
