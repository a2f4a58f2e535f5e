"""What the terminal shows: tables and lines, without any work of their own."""
