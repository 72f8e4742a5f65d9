"""Decide what happens to tasks: a pure core. No clock, thread, socket, file or log is in here.

Events go in, effects come out (`graph.Graph.apply`); a task's life is one table (`transitions.TABLE`);
`placement` gives ready tasks to free slots; `retry` decides about another try.
"""
