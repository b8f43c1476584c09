"""The reading judge: a classifier of the five traits, trained on human essays, that reads texts."""
