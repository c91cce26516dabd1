"""Comparison of web answers: what a page is like, which class an answer is of, whether the controls held. Pure."""
