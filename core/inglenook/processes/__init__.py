"""Parts that run in processes of their own: the child, the parent's side, and what they say."""
