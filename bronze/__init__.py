"""Bronze: reads landing objects, removes private metadata, and stores the photos under their subjects'
pseudonyms."""
