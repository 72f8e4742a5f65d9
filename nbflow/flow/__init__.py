"""Run task graphs: the dataflow kernel, its loop, and what its users hold.

`kernel` is the door for users' threads, `loop` the one thread that feeds the core and does what it asks for;
`current` holds the kernel that apps use. In `futures` is what comes back, in `steering` what changes a run
from outside and shows it, in `former` what earlier runs left, and in `reuse` how a call is answered by it.
"""
