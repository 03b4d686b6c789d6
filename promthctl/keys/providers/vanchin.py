"""VanchinAI: fourteen agents, each an endpoint id and a key; the endpoint id is sent as the model."""

from promthctl.keys.provider import Provider

PROVIDER = Provider(
    name="vanchin",
    title="VanchinAI",
    base_url="https://vanchin.streamlake.ai/api/gateway/v1/endpoints",
    variables="VANCHIN",
    agents=14,
    endpoint_pattern=r"ep-[a-z0-9]+-\d+",
)
