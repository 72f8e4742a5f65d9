"""Carry calls and results between processes: messages, their codec, and functions by value."""
