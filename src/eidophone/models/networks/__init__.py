"""Networks of the Stable Diffusion family, written out: no import of diffusers or transformers to run them.

Keys and shapes of their weights, and every number they give, are those of diffusers and transformers
(tests/models/test_networks.py).
"""
