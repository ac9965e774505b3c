"""The adapters as files: which exist, where they come from, whether they are whole."""
