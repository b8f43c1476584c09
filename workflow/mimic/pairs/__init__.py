"""Pairs: essays become SFT conversations and preference pairs."""
