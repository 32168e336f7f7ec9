"""What `clean` removes: what prismctl knows to be its own, and nothing else."""
