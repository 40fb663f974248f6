"""The server of llama-cpp-python on a port of this machine, until it is killed.

    python python_server.py MODEL CONTEXT PORT

As its own `python -m llama_cpp.server`, but for what crashes on processors with AMX: Linux grants
its tiles to one thread only, and this server loads and computes in different ones.
"""

from __future__ import annotations

import sys

import llama_cpp
from llama_cpp.server.__main__ import main

_own = llama_cpp.llama_model_default_params


def _without_tiles() -> object:
    parameters = _own()
    parameters.use_extra_bufts = False
    return parameters


llama_cpp.llama_model_default_params = _without_tiles
llama_cpp.llama_cpp.llama_model_default_params = _without_tiles
model, context, port = sys.argv[1:]
sys.argv[1:] = ["--model", model, "--model_alias", "smol", "--n_ctx", context, "--port", port]
sys.argv += ["--host", "127.0.0.1", "--n_threads", "1", "--verbose", "False"]
main()
