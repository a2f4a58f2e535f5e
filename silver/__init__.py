"""Silver: decodes bronze's photos, embeds them with one model, and keeps refused photos in quarantine."""
