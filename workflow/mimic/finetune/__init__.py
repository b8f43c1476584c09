"""Finetune: pairs become an adapter and its log, for each run."""
