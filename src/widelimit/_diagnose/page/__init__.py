"""What a diagnosis says: sentences, numbers, pictures and a page."""
