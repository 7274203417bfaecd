"""What happens by itself: mail in, tickets, acknowledgements out."""
