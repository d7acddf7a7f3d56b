"""What the pages compute. Slow to import: a page asks for it when a slider has moved, and not before it is shown."""
