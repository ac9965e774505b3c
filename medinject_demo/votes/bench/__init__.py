"""How votes are kept under load, and whom the rules of suspicion find: what ``bench votes`` measures."""
