"""Forms whose rules are the services'."""

from typing import Any, Self

from django import forms
from django.http import QueryDict

from drportal.adminkit.widgets import dress
from drportal.errors import DomainError, InvalidInput


class PortalForm(forms.Form):
    """A form in the theme's looks that can say what a service refused, beside the field."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)

    @classmethod
    def again(cls, data: QueryDict, **kwargs: Any) -> Self:
        """The form with what was typed so far, which nobody has called wrong yet."""
        form = cls(**kwargs)
        form.initial = {
            name: field.widget.value_from_datadict(data, {}, form.add_prefix(name))
            for name, field in form.fields.items()
        }
        return form

    def refuse(self, error: DomainError) -> None:
        """Show why a service refused, with everything that was typed still there."""
        complaints = error.errors if isinstance(error, InvalidInput) else []
        for complaint in complaints:
            self.complain(complaint["field"], complaint["message"])
        if not complaints:
            self.add_error(None, error.detail)

    def complain(self, field: str, message: str) -> None:
        """Put one complaint beside its field, or on top where there is no such field."""
        if field in self.fields:
            self.add_error(field, message)
        else:
            self.add_error(None, message)
