"""Label sets: what tells the series of one family apart."""

from __future__ import annotations

from collections.abc import Mapping

LabelSet = tuple[tuple[str, str], ...]
"""Pairs of name and value, sorted by name, without empty values; hashable, so that it can be a key."""

PushGroup = LabelSet
"""The labels that say whose push this is: ``job``, then ``instance`` (which may be empty), then the others, sorted."""


def make_label_set(*layers: Mapping[str, str]) -> LabelSet:
    """Merge *layers*, a later one overriding an earlier, and drop empty values.

    To Prometheus an empty value is the same as no label, and remote write forbids sending one:
    https://prometheus.io/docs/concepts/data_model/
    """
    merged = {name: value for layer in layers for name, value in layer.items()}
    return tuple(sorted((name, value) for name, value in merged.items() if value))


def make_push_group(job: str, instance: str, others: LabelSet = ()) -> PushGroup:
    """The push group of *job* and *instance*; these two come first and are always there.

    A series without an instance shows ``instance=""``, so that a scrape with ``honor_labels`` does not put
    the bridge's own on it.
    """
    return (("job", job), ("instance", instance), *others)
