"""Serves a GGUF with llama.cpp's own HTTP server on loopback, until stdin closes: serve.py MODEL.gguf [embeddings]"""
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_ctx = 8192
params.n_parallel = 2
params.cpuparams.n_threads = 1
params.warmup = False
params.endpoint_metrics = True
params.model_alias = {"tiny"}
if "embeddings" in sys.argv:
    params.embedding = True
    params.pooling_type = 1  # the mean
server = xllamacpp.Server(params)
print("listening", server.listening_address, flush=True)
sys.stdin.read()
