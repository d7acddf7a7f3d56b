"""A problem file, from text to checked sections."""

from ._json_schema import json_schema as json_schema, swept_schema as swept_schema
from ._keys import (
    changed_tables as changed_tables,
    flattened as flattened,
    read_problem_file as read_problem_file,
    read_settings as read_settings,
)
from ._plugins import plugged as plugged, require_same as require_same
from ._problem_file import (
    ProblemFile as ProblemFile,
    check as check,
    check_beside as check_beside,
    read_tables as read_tables,
)
from ._schema import Number as Number, Section as Section, Text as Text, misfit as misfit
from ._sections import Seeds as Seeds
from ._words import changes as changes, describe as describe
