"""Working on a Slurm machine: what jobs ask for, what is refused, what is left over."""
