"""Everything foreign: dialects, sockets, SQL, files, cryptography."""
