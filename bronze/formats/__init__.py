"""The formats of photos, a module each, and the removal of private metadata from them."""
