"""What the HTTP and gRPC faces share: access, bodies, ports and servers."""
