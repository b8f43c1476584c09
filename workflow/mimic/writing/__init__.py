"""Writing: each run writes texts for profiles and situations."""
