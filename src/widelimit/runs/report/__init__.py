"""The numbers of a run, on the terminal and on a page."""
