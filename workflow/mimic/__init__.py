"""Mimic: can a language model be given a personality that is both stable and accurate?"""

__version__ = "0.1.0"
