"""The command line: each command is a thin face over the engine."""
