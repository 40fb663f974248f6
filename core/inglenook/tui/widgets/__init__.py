"""The parts of which the screens are made, one widget a file."""
