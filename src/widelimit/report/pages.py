"""Pages of one's own: sections of sentences, pictures and tables in one HTML file."""

from ._page import (
    Page as Page,
    Picture as Picture,
    Section as Section,
    Table as Table,
    facts as facts,
    make_page as make_page,
)
