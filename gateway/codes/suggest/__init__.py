"""Suggestions: which national code a local code of an institution most likely means, by which rule and how sure.

Theory of operation. A row of the institution is compared with every national row that shares a key with it (approval
number, registration number, price code, identity) or a similar name. Each field that both sides fill yields a verdict:
equal, same but written otherwise, alike, cannot be told, different. `schemas/suggest/rules.json` maps verdicts to a
rule and its confidence; only deterministic rules reach 0.95. Two candidates that would both be sure make neither sure.

It never approves anything: an institution's two persons do (mapping rules section 4, annex C5).
"""
