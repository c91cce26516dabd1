"""What the addresses of one name have in common, and what not. Pure."""
