"""What may be set without touching code: settings, taxonomy, reply texts, logs."""
