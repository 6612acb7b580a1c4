"""ClickHouse, embedded in the process or on a server: the only SQL, and the same for both."""
