"""Why a ticket was (not) acknowledged: the stored rule and sentence, sorted for translation.

The worker stores ``<rule>: <sentence>`` in English. The page says it in the reader's language by
the rule, and falls back to the stored sentence for a rule it does not know.
"""

from collections.abc import Mapping

_BY_RULE: Mapping[str, str] = {
    "B.1": "acknowledged",
    "B-50": "archive",
    "B-D2": "no_address",
    "B-F5": "no_address",
    "B-F6": "no_address",
    "B-D5": "suggested",
    "B-F2": "suggested",
    "acknowledgements.enabled": "switched_off",
    "smtp": "no_server",
    "B-49": "too_old",
    "acknowledgements.never": "never",
    "B-47": "refused_before",
    "B.7": "limit",
    "B-A2": "forged",
    "B-D4": "forged",
    "B.8 row 52": "authority",
    "B-A4": "spam",
    "B-L1": "own",
    "B-L3": "loop",
}


def reason_code(stored: str) -> str:
    """The word by which templates choose a sentence; ``other`` for what is not known."""
    rule = stored.partition(":")[0].strip()
    if rule.startswith("B-M"):
        return "machine"
    return _BY_RULE.get(rule, "other")
