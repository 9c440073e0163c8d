"""The only package that knows everybody: settings, wiring, the node, the command line."""
