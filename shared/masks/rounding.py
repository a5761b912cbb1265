"""How numbers are rounded before they are told."""


def six_digits(value: float) -> float:
    """Six significant digits: 0.5 micrometre pixels must not round to an area of zero."""
    return float(f"{value:.6g}")
