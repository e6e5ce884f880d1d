"""`make bench`: what a request costs beside other proxies, side by side in one run (contract §9).

Nothing here is asserted in tests: machines differ. Ratios within one interleaved run are what counts.
"""
