"""Keeps an agent's answers from being run as code by reasoning-gym's datasets.

Some datasets put an answer through ``eval``, or through sympy's ``parse_expr``, which does the same. Their
modules get functions in place of these that take what a right answer needs and nothing else. A module that
evaluates something, and is not known here to do no harm, is refused.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from typing import Any

from openenv_gym.errors import UsageError

_EVALUATES = re.compile(r"\b(?:eval|exec|parse_expr|sympify)\(")
# Modules below reasoning_gym, by what they evaluate: answers that are lists, answers that are formulas (and
# the name they know sympy's parser by), or only what they have written themselves.
_LISTS = {
    "algorithmic.binary_matrix",
    "algorithmic.spiral_matrix",
    "algorithmic.string_insertion",
    "games.n_queens",
}
_FORMULAS = {
    "algebra.intermediate_integration": "sympy",
    "algebra.polynomial_multiplication": "sp",
    "algebra.simple_integration": "sympy",
    "games.countdown": "parse_expr",
    "games.puzzle24": "parse_expr",
}
_OWN = {
    "algorithmic.number_sorting",
    "arithmetic.basic_arithmetic",
    "arithmetic.bitwise_arithmetic",
    "code.codeio",
    "logic.propositional_logic",
}
_LONGEST_FORMULA = 2000
_MOST_POWERS_OF_BRACKETS = 2
_FORMULA = re.compile(
    r"""(?:
        \s+
      | \*\*\s*(?:-?\d{1,2}|\(\s*-?\d{1,2}\s*(?:/\s*\d{1,2}\s*)?\))(?![\d.]|\s*\*\*)  # no tower of powers
      | \*(?!\*) | [-+/(),]
      | \d{1,12}(?:\.\d{1,12})?(?![\w.])
      | (?:a?(?:sin|cos|tan)h? | sec | csc | cot | exp | log | ln | sqrt | pi | Abs | [A-Za-z])(?!\w)
    )+""",
    re.VERBOSE,
)


def make_harmless(dataset_class: type) -> bool:
    """Make sure that no answer is run as code by a dataset's module.

    Args:
        dataset_class: The dataset's class.

    Returns:
        Whether its answers are formulas, which may take long to compare.

    Raises:
        UsageError: The module evaluates something, and is not known here.
    """
    module = sys.modules[dataset_class.__module__]
    name = module.__name__.removeprefix("reasoning_gym.")
    if name in _LISTS:
        vars(module)["eval"] = ast.literal_eval
    elif name in _FORMULAS:
        parser = _FORMULAS[name]
        if not isinstance(vars(module)[parser], _Formulas):
            vars(module)[parser] = _Formulas(vars(module)[parser])
    elif name not in _OWN and _EVALUATES.search(inspect.getsource(module)):
        raise UsageError(f"{module.__name__} may run an agent's answer as code: it is not served")
    return name in _FORMULAS


class _Formulas:
    """Stands in for ``sympy``, or for its ``parse_expr``: the same, but it parses formulas only.

    Args:
        original: The module, or the function.
    """

    def __init__(self, original: Any) -> None:
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def __call__(self, text: str, *args: Any, **kwargs: Any) -> Any:
        return self._original(_formula(text), *args, **kwargs)

    def parse_expr(self, text: str, *args: Any, **kwargs: Any) -> Any:
        """Parse a formula."""
        return self._original.parse_expr(_formula(text), *args, **kwargs)


def _formula(text: str) -> str:
    """Return a text that is a formula, with no power that takes long to compute.

    Raises:
        ValueError: It is none.
    """
    powers = len(re.findall(r"\)\s*\*\*", text))
    if len(text) > _LONGEST_FORMULA or powers > _MOST_POWERS_OF_BRACKETS or not _FORMULA.fullmatch(text):
        raise ValueError("an answer must be a formula of numbers, variables and common functions")
    return text
