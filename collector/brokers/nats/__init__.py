"""What does NATS know? Read with the rights of an ordinary user of the application's account."""
