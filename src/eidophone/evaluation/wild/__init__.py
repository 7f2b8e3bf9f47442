"""The in-the-wild protocol: pictures of recorded sounds, with each attention term (Lee et al. 2023)."""
