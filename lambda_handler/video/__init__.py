"""Video elements: which frame of its source each shows at a moment, and those frames straight from the source."""
