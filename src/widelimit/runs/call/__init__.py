"""From checked sections to the library's objects, and what is computed with them."""
