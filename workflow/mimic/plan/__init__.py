"""What a study will need before it runs: memory, time, nodes. Pure functions, no stage."""
