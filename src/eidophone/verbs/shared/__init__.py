"""What the verbs share: loaded models, the canvas, sound, recipes, best of N."""
