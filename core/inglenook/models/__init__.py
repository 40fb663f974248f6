"""Models on disk: their names, the library that holds them, and how they get there."""
