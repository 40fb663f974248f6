"""The terminal UI: a Textual application over the engine's event streams."""
