"""Ways to find what is new in a landing folder without a listing of all of it."""
