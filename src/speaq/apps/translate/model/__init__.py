"""The translation model: its engines, how it is told its languages, how it is opened."""
