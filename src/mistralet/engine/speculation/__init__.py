"""Guessing tokens ahead, so that one step of the model may yield several; never changes which tokens come.

The model runs over a guess at once, and the sampler draws at each place as if what was guessed before it were true.
What it draws is kept up to the first token that differs from the guess. Since a draw depends only on the scores, the
request's seed and the token's place, the tokens are those that would have come one at a time.
"""

from mistralet.engine.speculation.draft_model import DraftModel
from mistralet.engine.speculation.drafter import Drafter
from mistralet.engine.speculation.prompt_lookup import PromptLookup

__all__ = ["DraftModel", "Drafter", "PromptLookup"]
