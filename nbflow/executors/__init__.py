"""Run bundles of calls somewhere: in threads, in worker processes, in any `concurrent.futures` pool.

An executor knows calls and slots, and no graph. `protocol` says what each one does; `registry` finds them by
name.
"""
