"""Run task graphs: the dataflow kernel, its loop, and the futures that its users hold.

`kernel` is the door for users' threads, `loop` the one thread that feeds the core and does what it asks for,
`future` what comes back. `current` holds the kernel that apps use.
"""
