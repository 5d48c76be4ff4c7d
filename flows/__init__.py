"""The flows, and the command line on top of them."""
