"""OpenAI: https://platform.openai.com/docs/api-reference/authentication."""

from promthctl.keys.provider import Provider

PROVIDER = Provider(
    name="openai",
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    variables="OPENAI",
    endpoint="default",
    key_pattern=r"sk-(?!ant-|or-)[\w-]{20,}",
    key_example="sk-…",
)
