"""What the terminal shows: a module for each kind of table and line."""
