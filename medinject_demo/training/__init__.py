"""Mixtures, fine-tuning, and the bundled miniature of the study."""
