def compare() -> None:
    """Later."""
