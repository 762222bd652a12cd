"""What `text_gen` is made of."""
