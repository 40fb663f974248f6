"""The screens of the terminal UI, each with its style sheet beside it."""
