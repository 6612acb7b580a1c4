"""ClickHouse: embedded in the process, or a server. The only SQL; both speak the same."""
