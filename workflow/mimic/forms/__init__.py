"""Forms: authored formats and wordings become one checked table."""
