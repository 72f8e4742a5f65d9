"""What changes and shows a run from outside: words of Python, commands, the control socket."""
