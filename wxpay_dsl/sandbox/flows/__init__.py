"""What one step does to everything that it touches: the records, the accounts, and who is told of it."""
