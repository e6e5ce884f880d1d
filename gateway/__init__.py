"""Liangding Gateway (两定网关): the product. Rooms are listed in docs/design.md."""
