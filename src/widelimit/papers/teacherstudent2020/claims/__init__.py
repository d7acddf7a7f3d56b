"""The statements that are checked."""
