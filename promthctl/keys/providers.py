"""The providers of API keys, and what promthctl knows about each. Adding one is adding an entry to the table below."""

from __future__ import annotations

from dataclasses import dataclass

from promthctl.errors import UsageError
from promthctl.mr_promth import vanchin


@dataclass(frozen=True)
class Provider:
    """An API whose keys are stored in api_keys.

    name: the column provider, at most fifty characters.
    title: its name as people write it.
    base_url: the API's root, stored with each key that brings none; the OpenAI-compatible one where there is one.
    variables: the prefix of its environment variables. PREFIX_BASE_URL and PREFIX_KEYS_FILE for every provider;
    PREFIX_API_KEY and PREFIX_MODEL where any number of keys may be stored; PREFIX_API_KEY_n, PREFIX_ENDPOINT_n,
    PREFIX_AGENT_NAME_n and PREFIX_AGENT_DESCRIPTION_n where `agents` is set.
    endpoint: the endpoint_id of a key that names none. None: each must name one. It tells a user's keys apart and
    is what `keys check --live` sends as the model, unless it is this word.
    key_pattern, key_example: what its keys look like today, as a regular expression, and for people: the beginning and
    an ellipsis. A key that looks different is stored with a warning, since providers change that.
    agents: the size of a full set of agents, numbered from 1, each with an endpoint of its own. None: any number.
    endpoint_pattern: what its endpoint ids look like. A key that matches it was put in the wrong place.
    demo_endpoint: the endpoint id of a demo key, formatted with the agent's number.
    seed_command: the command that stores its keys, where it has one of its own.
    """

    name: str
    title: str
    base_url: str
    variables: str
    endpoint: str | None = None
    key_pattern: str | None = None
    key_example: str = ""
    agents: int | None = None
    endpoint_pattern: str | None = None
    demo_endpoint: str = ""
    seed_command: str = ""

    @property
    def command(self) -> str:
        """The command that stores its keys, as it is typed."""
        return self.seed_command or f"promthctl seed keys --provider {self.name}"


_TABLE = (
    # https://docs.anthropic.com/en/api/openai-sdk
    Provider(
        "anthropic", "Anthropic", "https://api.anthropic.com/v1", "ANTHROPIC",
        endpoint="default", key_pattern=r"sk-ant-[\w-]{20,}", key_example="sk-ant-…",
    ),
    # https://ai.google.dev/gemini-api/docs/openai
    Provider(
        "google", "Google Gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI",
        endpoint="default", key_pattern=r"AIza[\w-]{20,}", key_example="AIza…",
    ),
    # https://platform.openai.com/docs/api-reference/authentication
    Provider(
        "openai", "OpenAI", "https://api.openai.com/v1", "OPENAI",
        endpoint="default", key_pattern=r"sk-(?!ant-|or-)[\w-]{20,}", key_example="sk-…",
    ),
    # https://openrouter.ai/docs/api-reference/authentication
    Provider(
        "openrouter", "OpenRouter", "https://openrouter.ai/api/v1", "OPENROUTER",
        endpoint="default", key_pattern=r"sk-or-[\w-]{20,}", key_example="sk-or-…",
    ),
    Provider(
        vanchin.NAME, vanchin.TITLE, vanchin.BASE_URL, vanchin.VARIABLES,
        agents=vanchin.AGENTS, endpoint_pattern=vanchin.ENDPOINT_PATTERN,
        demo_endpoint=vanchin.DEMO_ENDPOINT, seed_command=vanchin.SEED_COMMAND,
    ),
)  # fmt: skip
PROVIDERS = {provider.name: provider for provider in _TABLE}


def provider_names() -> tuple[str, ...]:
    """All providers, in alphabetical order."""
    return tuple(sorted(PROVIDERS))


def find_provider(name: str) -> Provider:
    """The provider of that name, in any case. Raises UsageError, naming those there are, for any other."""
    provider = PROVIDERS.get(name.strip().lower())
    if provider is None:
        raise UsageError(
            "--provider does not name a provider that promthctl knows",  # not repeated: it may be a misplaced key
            f"these are known: {', '.join(provider_names())}",
            "run the same command again with --provider openai, say",
        )
    return provider
