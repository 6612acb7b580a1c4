"""What the HTTP and gRPC servers share: access, bodies, ports and servers."""
