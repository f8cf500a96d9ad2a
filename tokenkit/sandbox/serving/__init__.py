"""The sockets, the HTTP messages, the table of endpoints, and injected faults."""
