"""A metric of the user's own: a function of predicted probabilities and labels, by import path.

It is computed from the logits that runs stored, whenever results are read: a metric that fails costs no training, and
another one needs none. Like a network of one's own it is named by module and function (`ablation.models.own`), and the
digest of its source is part of what was declared before the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.analysis.metrics import Floats, Labels, Logits, Metric, log_softmax
from ablation.core.errors import InputError
from ablation.core.own_modules import folders, folders_of, importing
from ablation.core.seeds import stream
from ablation.core.values import file_being_read, value
from ablation.models.own import Purpose, function_of, missing_module, reason_and_line, source_digest

PURPOSE = Purpose("metric", "metric", "package.module:function", "(probabilities, labels)")

TRIED_ON = 200
"""Made-up images that a metric is tried on before the first run, at least."""


@value
class OwnMetric(str):
    """A metric by import path, "package.module:function": what an experiment is judged by, like one of those by name.

    The function is given probabilities (N, C), float64 with rows that add up to 1, and labels (N,), whole numbers from
    0 on. It returns one number; with `per_image` (N,) numbers whose mean is the metric, so that test photographs can
    count as drawn, as for the accuracy; where all of them are 1 or 0 it is a share of images, as that is. unit: what
    it is counted in, as "euros"; "points" are shown in percent.

    In my_metrics.py, beside the experiment's file, for OwnMetric("my_metrics:cost", higher_is_better=False,
    unit="euros", per_image=True):

        def cost(probabilities, labels):
            return (probabilities.argmax(axis=1) != labels) * np.where(labels == 8, 5.0, 1.0)

    >>> accuracy = OwnMetric("ablation.analysis.metrics:is_right", higher_is_better=True, unit="points", per_image=True)
    >>> accuracy.lower_is_better
    False
    """

    function: str
    higher_is_better: bool
    unit: str = ""
    per_image: bool = False

    __hash__ = str.__hash__  # by the name by which tables, MLflow and the report know it, as any other metric
    __ne__ = object.__ne__  # text has one of its own, which does not ask `==`

    def __new__(cls, function: Any = "", *args: Any, **given: Any) -> OwnMetric:
        return super().__new__(cls, given.get("function", function))

    def __str__(self) -> str:
        return str.__str__(self)

    def check(self) -> Iterator[str]:
        file = file_being_read()
        where = folders_of(file) if file else folders()
        if wrong := missing_module(self.function, PURPOSE, where):
            yield wrong
        if len(self.unit) > 20 or not self.unit.isprintable():
            yield f"unit = {self.unit!r}: expected a word, as 'euros' or 'points'"

    @staticmethod
    def suggested_for(given: Any) -> str:
        """'; write OwnMetric(...)' for the import path of a function alone, which does not say what is better."""
        if not isinstance(given, str) or ":" not in given:
            return ""
        return f"; write OwnMetric({given!r}, higher_is_better=True), or False"

    @property
    def lower_is_better(self) -> bool:
        return not self.higher_is_better

    @property
    def declared(self) -> str:
        """What is declared of it before the runs, with the digest of its source.

        Raises InputError where the source is not there.
        """
        better = "higher" if self.higher_is_better else "lower"
        of = f", in {self.unit}" if self.unit else ""
        kind = ", per image" if self.per_image else ""
        return f"{self} ({better} is better{of}{kind}; source {source_digest(self.function, PURPOSE)[:12]})"

    @cached_property
    def metric(self) -> Metric:
        """As those by name are: computed from logits and labels. Nothing is imported before it is computed."""
        title = self._function
        if self.per_image:
            return Metric(title, self.unit, self.lower_is_better, per_image=self._per_image, share=None)
        return Metric(title, self.unit, self.lower_is_better, whole=self._whole)

    def _whole(self, logits: Logits, labels: Labels) -> float:
        number = self._answer(logits, labels)
        if number.shape != ():
            shape = " x ".join(map(str, number.shape))
            hint = "; per_image=True takes a number an image" if number.shape == labels.shape else ""
            raise InputError(f"{self._named} returned {shape} numbers; return one{hint}")
        return float(number)

    def _per_image(self, logits: Logits, labels: Labels) -> Floats:
        numbers = self._answer(logits, labels)
        if numbers.shape != labels.shape:
            got = " x ".join(map(str, numbers.shape)) + " numbers" if numbers.shape else "one number"
            hint = "; leave per_image out for a metric that is one number" if not numbers.shape else ""
            raise InputError(f"{self._named} returned {got} for {len(labels)} images; return one an image{hint}")
        return numbers

    def _answer(self, logits: Logits, labels: Labels) -> NDArray[np.float64]:
        """What the function returns, as numbers. Raises InputError where it fails, or returns something else."""
        function = self._imported
        try:
            with importing():  # what it imports when it is called
                answer = function(np.exp(log_softmax(logits)), labels.copy())
        except Exception as error:  # the user's own code raises what it likes
            called = f"it is called as {self._function}{PURPOSE.of}, of shapes (N, C) and (N,)"
            raise InputError(f"{self._named} failed: {reason_and_line(error)}; {called}") from error
        numbers = np.asarray(answer)
        if numbers.dtype.kind not in "buif":
            raise InputError(f"{self._named} returned {type(answer).__name__}; return {self._expected}")
        return numbers.astype(np.float64)

    @cached_property
    def _imported(self) -> Callable[..., Any]:
        return function_of(self.function, PURPOSE)

    @property
    def _function(self) -> str:
        return self.function.rpartition(":")[2]

    @property
    def _named(self) -> str:
        return f"metric = {self.function!r}: it"

    @property
    def _expected(self) -> str:
        return "a number an image" if self.per_image else "a number"

    def try_out(self, classes: int) -> None:
        """Compute it once of made-up predictions. Raises InputError where it fails, or is not finite."""
        draws = stream(0, "metric tried")
        labels = np.resize(np.arange(classes), max(TRIED_ON, 2 * classes))
        logits = draws.normal(0, 1, (len(labels), classes)).astype(np.float32)
        logits[np.arange(len(labels)), labels] += 1
        terms = self._per_image(logits, labels) if self.per_image else np.array(self._whole(logits, labels))
        if not np.isfinite(terms).all():
            made = f"{len(labels)} made-up images of {classes} classes"
            raise InputError(f"{self._named} returned {terms[~np.isfinite(terms)].flat[0]} for {made}")
