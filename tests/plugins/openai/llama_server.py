"""llama.cpp's own server on a free port of this machine, until its standard input ends.

    python llama_server.py MODEL CONTEXT [KEY]

Prints its address.
"""

from __future__ import annotations

import sys

import xllamacpp


def main(model: str, context: str, key: str = "") -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {"smol"}
    parameters.n_ctx = int(context)
    parameters.n_parallel = 1
    parameters.n_batch = parameters.n_ubatch = 64
    parameters.cpuparams.n_threads = 1
    parameters.n_gpu_layers = 0
    parameters.fit_params = False
    parameters.warmup = False
    parameters.ui = False
    parameters.cache_ram_mib = 0
    parameters.use_jinja = True
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.verbosity = 1
    if key:
        parameters.api_keys = [key]
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    del server


main(*sys.argv[1:])
