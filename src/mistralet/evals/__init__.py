"""Evaluations: how well a model does on work whose right answers are known."""
