"""Raw sockets, in a process of their own that holds the right to open them and nothing else."""
