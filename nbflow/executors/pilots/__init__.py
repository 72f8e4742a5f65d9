"""Run calls on pilots: worker processes on the nodes of batch jobs, at one site.

From the outside in: `executor` is what a dataflow kernel sees. `foreman` is the thread that obtains blocks
and enlists the engines that start in them, through `agent`, the process beside ipyparallel's controller.
`lanes` is the thread that talks to the pilots, `node` one pilot as it sees it, `gate` lets known keys in.
"""
