"""The web page and its API: which fruit a photo shows, and which photos of the lake are like it."""
