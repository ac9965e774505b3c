"""The MedInjection-FR playground: eight arms of one study, side by side."""

__version__ = "0.1.0"
