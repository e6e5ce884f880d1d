"""Pure words and decisions shared by all rooms: no I/O, no time, no chance."""
