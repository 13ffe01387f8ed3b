"""x"""


def document() -> dict[str, object]:
    """x"""
    return {}
