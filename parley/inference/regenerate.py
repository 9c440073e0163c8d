"""Make the committed gRPC stubs from inference.proto: `python -m parley.inference.regenerate`.

Run with grpcio-tools 1.66.2, the oldest supported: generated code refuses to run on anything older than the
tools that made it. A test regenerates and compares. protoc's type stubs leave `Mapping` bare, which strict checking
refuses: its arguments are filled in.
"""

from __future__ import annotations

import importlib
import sys
from importlib import resources
from pathlib import Path

PROTO = "parley/inference/inference.proto"
STUBS = ("inference_pb2.py", "inference_pb2.pyi", "inference_pb2_grpc.py")


def regenerate(root: Path, out: Path) -> None:
    """Write the stubs below `out`.

    root: the folder that holds `parley/`.   Raises ImportError without grpcio-tools, RuntimeError if protoc refuses.
    """
    protoc = importlib.import_module("grpc_tools.protoc")
    includes = resources.files("grpc_tools") / "_proto"
    outputs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"-I{root}", f"-I{includes}", *outputs, PROTO]) != 0:
        raise RuntimeError(f"protoc refuses {PROTO}")
    types = out / "parley/inference/inference_pb2.pyi"
    types.write_text(types.read_text().replace("_Mapping]", "_Mapping[str, object]]"))


if __name__ == "__main__":
    repository = Path(__file__).parents[2]
    regenerate(repository, repository)
    sys.stdout.write("\n".join(STUBS) + "\n")
