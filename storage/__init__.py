"""Tables and every query. Nothing above this package writes SQL."""
