"""The sound of a composition: which clips are heard, mixed once over the whole timeline while planning.

Everything is 48 kHz stereo in 32-bit float until it is encoded. Nothing is normalised, limited or clipped on the
way: what is louder than full scale in the mix is clipped by whoever plays it, as with the reference.
"""
