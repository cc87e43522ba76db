"""Names that others still ask for here: `canvas`, `pictures`, `curves` and `board` have them."""

from .board import board as board
from .board import log_to_board as log_to_board
from .canvas import BLUE as BLUE
from .canvas import GREY as GREY
from .canvas import ORANGE as ORANGE
from .canvas import colours
from .canvas import figure as figure
from .curves import progress as progress
from .files import disk_errors as disk_errors
from .pictures import animate as animate
from .pictures import save_samples as save_samples

COLOURS = tuple(colours(4))
