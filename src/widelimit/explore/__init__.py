"""The explorer: pages with sliders in the browser, where neurons move and risk curves grow beside them."""

from ._axes import Axis as Axis, axis as axis
from ._items import (
    Arrows as Arrows,
    Band as Band,
    Crosses as Crosses,
    Curve as Curve,
    Dots as Dots,
    Frame as Frame,
    Growing as Growing,
    Moving as Moving,
)
from ._page import (
    Page as Page,
    Slider as Slider,
    even as even,
    every_page as every_page,
    page_named as page_named,
    round_numbers as round_numbers,
)
from ._serve import listen as listen, serve as serve
from ._sheet import Panel as Panel, picture as picture, svg as svg
