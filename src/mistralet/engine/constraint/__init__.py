"""Answers that fit a grammar: which tokens may come next, through llguidance."""

from mistralet.engine.constraint.compiler import ConstraintCompiler
from mistralet.engine.constraint.constraint import Constraint, schema_text
from mistralet.engine.constraint.loosened import loosened, not_held_to
from mistralet.engine.constraint.masks import FillingMask, MaskFiller, MaskRow, forbid, mask_width, new_mask
from mistralet.engine.constraint.matcher import Matcher

__all__ = [
    "Constraint",
    "ConstraintCompiler",
    "FillingMask",
    "MaskFiller",
    "MaskRow",
    "Matcher",
    "forbid",
    "loosened",
    "mask_width",
    "new_mask",
    "not_held_to",
    "schema_text",
]
