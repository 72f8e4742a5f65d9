"""Measure nbflow side by side with its peers: same run, same machine, same workloads.

`python -m benchmarks` from the root of the repository (or `make bench`) takes every measurement
in a fresh process, peer after peer, several times over, and prints medians and the bars they are
held to. Modules, each importing only the ones above it:

- `functions`: what the tasks run
- `gauges`: clocks, memory and processes
- `chaining`: dependencies on plain futures, as people write them by hand
- `peers`: one class per system
- `workloads`: what a peer is asked to do, and the figures that come out
- `measure`: one peer, one workload, in this process (the program the driver starts)
- `results`: records, medians, JSON lines
- `bars`: what nbflow must reach
- `suite`: which peer meets which workload at which size
- `environment`: the peers' virtual environment
- `driver`: a process per measurement
- `report`: Markdown tables
"""
