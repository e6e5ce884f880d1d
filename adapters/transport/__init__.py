"""The only sockets of the product: HTTP/1.1 server and client on httptools, TLS."""
