"""A profile made runnable: its model, its knowledge, and how a question becomes an answer."""
