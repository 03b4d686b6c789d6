"""Google's Gemini: https://ai.google.dev/gemini-api/docs/openai."""

from promthctl.keys.provider import Provider

PROVIDER = Provider(
    name="google",
    title="Google Gemini",
    base_url="https://generativelanguage.googleapis.com/v1beta/openai",
    variables="GEMINI",
    endpoint="default",
    key_pattern=r"AIza[\w-]{20,}",
    key_example="AIza…",
)
