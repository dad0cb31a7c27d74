"""The model card, written from facts only."""

from speaq.models.language_model import LanguageModel


def card(model: LanguageModel, fingerprint: str) -> str:
    """The README.md of a model folder."""
    return f"# {model.name}\n\nWeights {fingerprint}.\n"
