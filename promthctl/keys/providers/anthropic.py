"""Anthropic: https://docs.anthropic.com/en/api/openai-sdk."""

from promthctl.keys.provider import Provider

PROVIDER = Provider(
    name="anthropic",
    title="Anthropic",
    base_url="https://api.anthropic.com/v1",
    variables="ANTHROPIC",
    endpoint="default",
    key_pattern=r"sk-ant-[\w-]{20,}",
    key_example="sk-ant-…",
)
