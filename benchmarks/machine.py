"""What processor this machine has."""

from pathlib import Path


def processor_facts() -> dict[str, str]:
    """What Linux says of the first processor (model name, flags); empty elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(reversed([(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]))
