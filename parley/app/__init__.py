"""The only package that knows everybody: settings, wiring, the node, the command line."""

import os

# Before gRPC is imported. Every child of ours is another program, which needs no gRPC of ours; told so, gRPC does not
# look at forks, and does not write lines of its own form into our log when it finds its threads busy.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
