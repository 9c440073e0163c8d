"""Speech and language engines in another process: gRPC contract, client, server shell, worker process, cache.

The call process uses `client`, `worker_process` and `speech_cache`; the worker's main calls `server.serve()`.
"""
