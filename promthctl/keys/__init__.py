"""The fourteen VanchinAI agents: where their keys come from, how they are encrypted and how they are stored."""
