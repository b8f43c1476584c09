"""Respondents: whatever answers a form."""
