"""What is measured in a process of its own, ours and the peers'. Each program says what it found as lines of JSON."""
