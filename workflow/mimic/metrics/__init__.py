"""From answers and judged texts to figures: one JSON for each run, one for the study."""
