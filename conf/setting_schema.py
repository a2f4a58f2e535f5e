"""What a class of settings says about its sections and keys: their types, forms and descriptions.

The class is a parameter (`model`), so nothing here knows a setting by name but spark.config, in which
Spark's own keys stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from conf.section import Form

Model = type[BaseModel]
"""The class of the settings. Each of its fields is a section, and is a model itself."""

CONFIG = "spark.config"
"""The one table within a section. Spark knows which keys may stand in it."""


def sections(model: Model) -> dict[str, Model]:
    """Return the sections by name, also an optional one (`EmrSettings | None`)."""
    return {name: _section(field) for name, field in model.model_fields.items()}


def _section(field: FieldInfo) -> Model:
    alternatives = get_args(field.annotation) or (field.annotation,)
    return next(each for each in alternatives if issubclass(each, BaseModel))


def fields(model: Model) -> dict[str, FieldInfo]:
    """Return every setting by its `section.key`."""
    return {
        f"{name}.{key}": field
        for name, section in sections(model).items()
        for key, field in section.model_fields.items()
    }


def lacking(model: Model, values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the required keys that nested tables lack, by section; none for a section without such keys.

    An optional section may be left out, but one that is there must be whole.
    """
    found = {}
    for name, section in sections(model).items():
        required = [key for key, field in section.model_fields.items() if field.is_required()]
        if name not in values and model.model_fields[name].is_required():
            found[name] = required
        elif name in values and isinstance(values[name], Mapping):
            missing = [key for key in required if key not in values[name]]
            found |= {name: missing} if missing else {}
    return found


def meaning(described: FieldInfo | Model) -> str:
    """Return what a setting or a section means, as one paragraph."""
    text = described.description if isinstance(described, FieldInfo) else described.__doc__
    return " ".join((text or "").split())


def takes_text(field: FieldInfo) -> bool:
    """Return whether a field's type is a text, an optional text, or a choice of texts."""
    kind = field.annotation
    alternatives = () if get_origin(kind) in (tuple, dict) else get_args(kind)
    return kind is str or any(each is str or isinstance(each, str) for each in alternatives)


def takes_table(field: FieldInfo) -> bool:
    """Return whether a field's type is a table of texts."""
    return get_origin(field.annotation) is dict


def takes_number(field: FieldInfo) -> bool:
    """Return whether a field's type is a number, also an optional one."""
    return bool({int, float} & {field.annotation, *_kinds(field.annotation)})


def form(field: FieldInfo) -> str:
    """Return the form of a field's values in words, such as `a whole number above 0`."""
    for each in _metadata(field):
        if isinstance(each, Form):
            return each.words
    kinds = _kinds(field.annotation)
    if any(isinstance(each, type) and issubclass(each, BaseModel) for each in kinds):
        return "a table"
    if bool in kinds:
        return "true or false"
    if get_origin(field.annotation) is Literal:
        return _either(get_args(field.annotation))
    if get_origin(field.annotation) is tuple:
        least = " with at least one entry" if _bound(field, MinLen) else ""
        return f'a list of texts{least}, such as ["one", "two"]'
    if get_origin(field.annotation) is dict:
        return 'a table of texts, such as {"spark.ui.port" = "4040"}'
    if takes_number(field):
        return f"{'a whole number' if int in kinds else 'a number'}{_range(field)}"
    return "a text in quotes"


def form_at(kind: Any, place: Sequence[int | str]) -> str:
    """Return the form of the value at a place within a type: the keys of nested models and tables."""
    if not place:
        return form(FieldInfo.from_annotation(kind))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(place[0]))
        if field is None:
            return "a table"
        return form(field) if len(place) == 1 else form_at(field.annotation, place[1:])
    inner = [each for each in get_args(kind) if each is not NoneType]
    return form_at(inner[-1], place[1:]) if inner else form(FieldInfo.from_annotation(kind))


def _kinds(annotation: Any) -> Sequence[Any]:
    """Return the types that an annotation allows, without None."""
    inner = [kind for each in get_args(annotation) for kind in _kinds(each)]
    return [kind for kind in (inner or [annotation]) if kind is not NoneType]


def _metadata(field: FieldInfo) -> list[Any]:
    """Return what `Annotated` adds to a type, also to the type within an optional one."""
    inner = [each for kind in get_args(field.annotation) for each in _annotations(kind)]
    return [*field.metadata, *inner]


def _annotations(kind: Any) -> list[Any]:
    found = []
    for each in getattr(kind, "__metadata__", ()):
        found += each.metadata if isinstance(each, FieldInfo) else [each]
    return found


def _bound(field: FieldInfo, kind: type) -> Any:
    """Return the bound of a kind such as Gt, or None where the field has none."""
    name = "min_length" if kind is MinLen else kind.__name__.lower()
    found = [getattr(each, name) for each in _metadata(field) if isinstance(each, kind)]
    return found[0] if found else None


def _range(field: FieldInfo) -> str:
    """Return the bounds of a number in words, with a space before them."""
    above, least, below, most = (_bound(field, kind) for kind in (Gt, Ge, Lt, Le))
    if least is not None and most is not None:
        return f" from {least} to {most}"
    low = f"above {above}" if above is not None else f"of at least {least}"
    high = f"below {below}" if below is not None else f"at most {most}"
    told = [low] if (above, least) != (None, None) else []
    told += [high] if (below, most) != (None, None) else []
    return f" {' and '.join(told)}" if told else ""


def _either(choices: Sequence[Any]) -> str:
    *first, last = map(str, choices)
    return f"{', '.join(first)} or {last}" if first else last
