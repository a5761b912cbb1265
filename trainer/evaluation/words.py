"""What the tests show, and what they do not, in plain words."""

from typing import Any

SMALL = 0.05
MINUS = "\N{MINUS SIGN}"


def p_value(p: float) -> str:
    """As people read it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def amount(value: float) -> str:
    """Three significant digits, but whole numbers from a hundred on."""
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", MINUS)


def signed(value: float) -> str:
    """A difference of shares of 1."""
    return f"{value:+.3f}".replace("-", MINUS)


def unit_name(unit: str) -> str:
    """As it is printed."""
    return {"mm2": "mm²"}.get(unit, unit)


def patients(n: int) -> str:
    """With its number."""
    return "1 patient" if n == 1 else f"{n} patients"


def paired_areas(test: dict[str, Any], *, identical: bool) -> str:
    """Of the t-test of predicted against true areas."""
    if test["n"] < 2:
        return f"With {patients(test['n'])} there is nothing to test: it takes two."
    if identical:
        return "Predicted and true areas are the same in every patient: there is no difference to test."
    if test["p"] is None:
        return (
            f"The predicted area differs from the true one by the same amount in every patient "
            f"({_difference(test)}): without any spread there is no test."
        )
    low, high = test["ci95"]
    shown = (
        f"Over {patients(test['n'])} the predicted area is on average {_difference(test)} than the true one "
        f"(95 % interval {amount(low)} to {amount(high)}; {p_value(test['p'])}). "
    )
    if test["p"] < SMALL:
        return shown + (
            "The small p means that predicted and true areas differ: a bias. It is not a success. It does not say that "
            "the bias matters (its size and the limits of agreement do), nor whether tumour was found in the right "
            "place (Dice does)."
        )
    return shown + (
        "A p of 0.05 or more: no difference on average was shown. It is no proof that the areas agree: errors in both "
        "directions cancel out, and few patients can show little. See the limits of agreement."
    )


def _difference(test: dict[str, Any]) -> str:
    mean = test["mean_difference"]
    return f"{amount(abs(mean))} {unit_name(test['unit'])} {'larger' if mean >= 0 else 'smaller'}"


def anova(test: dict[str, Any], groupings: int) -> str:
    """Of the analysis of variance."""
    null = f"What is tested: that mean volume Dice is the same in all groups by {test['by']}. "
    groups = len(test["groups"])
    if groups < 2:
        return null + f"Not tested: it takes two groups of at least two patients, and there {_are(groups)}."
    if test["p"] is None:
        return null + "Not tested: within each group all patients have the same Dice."
    if test["p"] < SMALL:
        shown = (
            f"{p_value(test['p'])}: the groups' means differ by more than chance alone would make likely. It does not "
            "say which groups differ, nor why: scanners, patients and outlining differ together. "
        )
    else:
        shown = (
            f"{p_value(test['p'])}: no difference between the groups was shown. With groups as small as these a real "
            "one is easily missed: it is no proof that the model works the same everywhere. "
        )
    several = (
        f"{groupings} groupings were tested; divide 0.05 by {groupings} to be as strict as with one. "
        if groupings > 1
        else ""
    )
    return (
        null + shown + several + "The test takes Dice as bell-shaped with the same spread in each group, "
        "which holds roughly at best."
    )


def _are(groups: int) -> str:
    return {0: "are none", 1: "is one"}[groups]


def bland_altman(test: dict[str, Any]) -> str:
    """Of bias and limits of agreement."""
    if test["lower"] is None:
        return f"With {patients(test['n'])} there are no limits of agreement: it takes two."
    unit = unit_name(test["unit"])
    size = "large" if test["bias"] >= 0 else "small"
    return (
        f"On average a patient's predicted area is {amount(abs(test['bias']))} {unit} too {size}. In 95 of 100 "
        f"patients like these the error is expected between {amount(test['lower'])} and "
        f"{amount(test['upper'])} {unit}, if errors are bell-shaped and do not grow with the tumour (the plot shows "
        "whether they do). Whether that is close enough is a clinical question, not a statistical one."
    )


def comparison(test: dict[str, Any]) -> str:
    """Of two models on the same patients."""
    n = test["n"]
    counts = f"better in {test['wins']}, worse in {test['losses']}, the same in {test['ties']}"
    if n < 2:
        return f"With {patients(n)} two models cannot be compared: it takes two."
    low, high = test["ci95"]
    mean = test["mean"]
    shown = (
        f"On the same {patients(n)} the model's volume Dice is on average {abs(mean):.3f} "
        f"{'higher' if mean >= 0 else 'lower'} than the other's (95 % interval {signed(low)} to {signed(high)}); "
        f"{counts}. "
    )
    if test["t_p"] is None:
        return shown + "The difference is the same in every patient, so that there is no test."
    tests = f"Paired t-test {p_value(test['t_p'])}" + (
        "" if test["wilcoxon_p"] is None else f", Wilcoxon {p_value(test['wilcoxon_p'])}"
    )
    if low > 0 or high < 0:
        return shown + (
            f"{tests}. The interval leaves out 0: on patients like these the difference is likely real. Whether it is "
            "large enough to matter is another question, and so is another hospital."
        )
    return shown + (
        f"{tests}. The interval holds 0: no difference was shown, which does not mean that the two are equally good."
    )
