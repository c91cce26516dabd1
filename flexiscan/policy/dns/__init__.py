"""Judgement of DNS facts: what an address is good for, what a reply says, whether an alias chain holds."""
