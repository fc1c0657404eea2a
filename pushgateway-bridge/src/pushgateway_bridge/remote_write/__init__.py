"""Remote write 1.0: what the journal holds, sent to remotes with its own times, by a process of its own."""
