"""The other side of every wire: the platform, hospitals, pharmacies, a load generator.

A second reading of the specification. Nothing here knows the gateway's checks, plans or codecs, so a rule misread on
both sides is misread twice by different code.
"""
