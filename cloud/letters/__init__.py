"""Dead letters, driven again once this version can read them."""
