"""What promthctl knows about a provider of API keys; each is one file of promthctl/keys/providers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """An API whose keys are stored in api_keys.

    name: the column provider, at most fifty characters; also the name of the provider's file.
    title: how people write it.
    base_url: the API's root, stored beside each key that brings none; the OpenAI-compatible one where there is one.
    variables: what its environment variables begin with. PREFIX_BASE_URL and PREFIX_KEYS_FILE for every provider;
    PREFIX_API_KEY and PREFIX_MODEL where any number of keys may be stored; PREFIX_API_KEY_n, PREFIX_ENDPOINT_n,
    PREFIX_AGENT_NAME_n and PREFIX_AGENT_DESCRIPTION_n where `agents` says how many.
    agents: how many agents, numbered from 1, each with an endpoint of its own, a whole set has. None: any number.
    endpoint: the endpoint_id of a key that names none. None: each must name one. It tells the keys of a user apart and
    is what `keys check --live` sends as the model, unless it is this word.
    key_pattern, key_example: what its keys look like today, as a regular expression, and for people: the beginning and
    an ellipsis. A key that looks otherwise is stored with a warning, since providers change that.
    endpoint_pattern: what its endpoint ids look like. A key that does was put in the wrong place.
    """

    name: str
    title: str
    base_url: str
    variables: str
    agents: int | None = None
    endpoint: str | None = None
    key_pattern: str | None = None
    key_example: str = ""
    endpoint_pattern: str | None = None

    @property
    def command(self) -> str:
        """What stores its keys, as it is typed."""
        return "promthctl seed vanchin" if self.name == "vanchin" else f"promthctl seed keys --provider {self.name}"
