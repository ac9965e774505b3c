"""What the statistics are measured to do: planted truths found again, oracles, time, and votes saved by the pairing."""
