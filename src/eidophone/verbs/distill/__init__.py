"""The verb distill: score distillation."""
