"""Serves a model over HTTP, in the words of OpenAI's, vLLM's and Anthropic's clients."""
