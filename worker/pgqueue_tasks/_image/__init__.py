"""What `image_gen` is made of."""
