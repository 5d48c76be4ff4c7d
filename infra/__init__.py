"""What AWS runs of it: the stack, the state machine, and what proves them without an account."""
