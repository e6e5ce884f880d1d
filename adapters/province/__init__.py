"""The province as docs/province.md describes it, JSON over HTTP: `http.py` is the adapter, the rest its pure parts."""
