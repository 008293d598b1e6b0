"""Programs that are measured in a process of their own: ours and the peers'. Each says what it found as lines of JSON."""
