"""The rules of launch settings, for those who use them: what may be set, and what it comes to."""

from protection.rules.launch_changes import (
    Difference,
    Held,
    TemplateChange,
    configuration_change,
    differences,
    template_change,
)
from protection.rules.launch_fields import (
    BLOCKED,
    BY_NAME,
    FIELDS,
    BadValues,
    Field,
    Place,
    Problem,
    Sort,
    Values,
    checked,
)
from protection.rules.launch_merge import (
    Layers,
    Setting,
    intended,
    merged,
    values_of,
    with_withdrawals,
    without_withdrawals,
)

__all__ = [
    "BLOCKED",
    "BY_NAME",
    "FIELDS",
    "BadValues",
    "Difference",
    "Field",
    "Held",
    "Layers",
    "Place",
    "Problem",
    "Setting",
    "Sort",
    "TemplateChange",
    "Values",
    "checked",
    "configuration_change",
    "differences",
    "intended",
    "merged",
    "template_change",
    "values_of",
    "with_withdrawals",
    "without_withdrawals",
]
