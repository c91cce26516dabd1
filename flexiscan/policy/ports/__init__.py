"""Readings of what ports did: pure, and shared by the rules about ports and about parity."""
