"""Renders compositions with the reference's own command line too, and compares the two videos frame by frame.

A development tool: nothing in the product imports it.
"""
