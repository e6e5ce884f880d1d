"""Platform dialects and signatures: pure codecs."""
