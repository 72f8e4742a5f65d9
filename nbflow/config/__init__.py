"""Describe a dataflow kernel as immutable values, and build one: the only place that wires drivers together."""
