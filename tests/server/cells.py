"""The cells of a mixed-output notebook. They show the same in each run: no clock, no chance."""

from __future__ import annotations

TEXT = """\
import sys
print("out", flush=True)
print("err", file=sys.stderr, flush=True)
print("no newline", end="")
print(", \\r\\u2014 é 𝔘", flush=True)
for i in range(300):
    print("line", i, flush=i % 7 == 0)
"""
RICH_DISPLAY = """\
from IPython.display import HTML, JSON, Markdown, display
class Both:
    def _repr_mimebundle_(self, **kwargs):
        return {"text/plain": "both", "text/html": "<i>both</i>"}, {"text/html": {"isolated": True}}
display(HTML("<b>bold</b>"), Markdown("*m*"), JSON({"a": [1, None]}), Both())
display({"application/x-own+json": {"deep": [1.5, "x"]}, "text/plain": "own"}, raw=True)
Both()
"""
DISPLAY_IDS = """\
import time
handle = display("first", display_id="one")
for i in range(40):
    handle.update(HTML(f"<p>{i}</p>"))
    time.sleep(0.002)
display("a second place", display_id="one")
print("after")
"""
DISPLAY_IDS_LATER = 'handle.update(Markdown("changed by a later cell")); print("nothing else")'
CLEARING = """\
from IPython.display import clear_output
print("gone at once")
clear_output()
for i in range(20):
    clear_output(wait=True)
    print("round", i, flush=True)
    display(f"shown {i}", display_id="cleared")
print("kept", file=sys.stderr, flush=True)
"""
CLEARED_WITHOUT_MORE = 'print("stays, for nothing follows", flush=True); clear_output(wait=True)'
RESULT = "'a' * 3, [1, 2], None"
NO_RESULT = "x = 5;"
ERROR = """\
def inner(n):
    print("before", n, flush=True)
    return 1 / n
def outer():
    try:
        inner(0)
    except ZeroDivisionError as e:
        raise ValueError("it failed: <é>") from e
outer()
print("never")
"""
SYNTAX_ERROR = "def f(:\n    pass"
ERROR_THEN_MORE = """\
import atexit
get_ipython().events.register("post_execute", hook := lambda: print("after the error", flush=True))
{}["missing"]
"""
NO_MORE_HOOK = 'get_ipython().events.unregister("post_execute", hook)'
EXIT = "raise SystemExit('no')"
USAGE = "%no_such_magic"
WARNING = "import warnings\nwarnings.warn('careful')"
SHELL = "!echo from the shell; echo and this >&2"
CAPTURED = """\
%%capture caught
print("caught"); display("d"); 7
"""
SHOWN_AGAIN = "caught.show()"
OUTPUT_WIDGET = """\
import ipywidgets
area = ipywidgets.Output()
display(area)
with area:
    print("inside", flush=True)
    display(HTML("<u>inside</u>"))
    print("error", file=sys.stderr, flush=True)
print("outside", flush=True)
with area:
    print("again", flush=True)
    display("updated", display_id="within").update("now")
"""
OUTPUT_STATE = "area.outputs"
OUTPUT_CLEARED = """\
for i in range(5):
    with area:
        clear_output(wait=True)
        print("pass", i, flush=True)
with area:
    raise KeyError("held by the area")
"""
WIDGETS = """\
slider = ipywidgets.IntSlider(3, description="n")
box = ipywidgets.VBox([slider, ipywidgets.HTML("<b>label</b>")])
slider.value = 8
box
"""
BINARY_WIDGET = 'image = ipywidgets.Image(value=bytes(range(256)) * 20, format="png"); image'
TQDM = """\
from tqdm.notebook import tqdm
for i in tqdm(range(200), desc="bar", mininterval=0, bar_format="{desc} {n_fmt}/{total_fmt}{bar}"):
    if i % 50 == 0:
        print("at", i, flush=True)
"""
TQDM_NESTED = """\
form = dict(mininterval=0, bar_format="{desc} {n_fmt}/{total_fmt}{bar}")
for i in tqdm(range(3), desc="outer", **form):
    for j in tqdm(range(10), desc=f"inner {i}", leave=False, **form):
        pass
"""
RICH = """\
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
# By itself it draws ten times a second and leaves, also in a plain kernel, whatever it drew last.
with Progress(*columns, auto_refresh=False) as progress:
    tasks = [progress.add_task(f"chain {n}", total=60) for n in range(2)]
    for i in range(60):
        for task in tasks:
            progress.update(task, advance=1, refresh=True)
Console().print("[bold]done[/]")
"""
FIGURE = """\
import logging
logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it may build its fonts' list, or not
import matplotlib.pyplot as plt
plt.plot([1, 3, 2], label="é")
plt.legend()
plt.show()
fig, ax = plt.subplots(figsize=(2, 2))
ax.imshow([[0, 1], [1, 0]])
print("and one at the end", flush=True)
"""

MIXED = [value for name, value in list(globals().items()) if name.isupper()]
"""All of them, in order."""
