"""OpenRouter: https://openrouter.ai/docs/api-reference/authentication."""

from promthctl.keys.provider import Provider

PROVIDER = Provider(
    name="openrouter",
    title="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    variables="OPENROUTER",
    endpoint="default",
    key_pattern=r"sk-or-[\w-]{20,}",
    key_example="sk-or-…",
)
