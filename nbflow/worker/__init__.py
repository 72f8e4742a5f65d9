"""Run calls where the work is: one call at a time in a worker process, a pool of them under one supervisor.

Nothing in here imports a Jupyter package, and a worker process imports only what it needs to start fast. From
the inside out: `call` runs one call, `main` is the worker process around it, `keeper` is the small parent
that leaves nothing behind, `process` is that pair as the supervisor sees it, `pool` is the supervisor.
"""
