"""Describe a dataflow kernel as immutable values: the only place that wires drivers together."""
