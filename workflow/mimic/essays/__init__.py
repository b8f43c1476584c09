"""Essays: from a corpus to a checked table, rejected rows with reasons, and roles."""
