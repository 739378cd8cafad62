"""From files to decisions: dose records tied to registry citizens."""
