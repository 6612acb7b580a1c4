"""What a collector does beside requests, again and again, and what it says when something goes wrong."""
