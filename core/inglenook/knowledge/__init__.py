"""What an assistant's sources become: discover, plan, load, filter, split, embed, write, record."""
