"""Settings, prices and errors. Every other room may import this one, and it imports none of them."""
