"""HIS dialects: pure codecs. The national dialect is the gateway's own form and needs none."""
