"""What people do: the pages for team leads."""
