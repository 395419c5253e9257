"""What cannot be known is said: state of the process that helpers change, loggers, folders of modules."""

from __future__ import annotations

from cases.case import LOUD, RIGHT, WARNED, Case

CASES = [
    Case(
        "a helper of a functions cell sets a pandas option",
        WARNED,
        """
# %% imports
import pandas as pd
# %% functions
def setup():
    pd.set_option("display.precision", 2)
# %% step:a
setup()
s = pd.Series([1.23456])
# %% step:b prev:a
print(s)
""",
        mentions=("setup", "pandas"),
    ),
    Case(
        "a helper of a helper sets numpy's print options",
        WARNED,
        """
# %% imports
import numpy as np
# %% functions
def pretty():
    np.set_printoptions(precision=2)
def prepare():
    pretty()
# %% step:a
prepare()
# %% step:b prev:a
print(np.array([1.23456]))
""",
        mentions=("prepare", "numpy"),
        why="numpy keeps its print options in a context variable, which the cells of a notebook share",
    ),
    Case(
        "a method sets an environment variable",
        WARNED,
        """
# %% imports
import os
# %% functions
class Conf:
    def activate(self):
        os.environ["KALE_ACTIVE"] = "on"
# %% step:a
Conf().activate()
# %% step:b prev:a
print(os.environ.get("KALE_ACTIVE", "off"))
""",
        mentions=("activate", "environment variable"),
    ),
    Case(
        "helpers that set and read environment variables",
        WARNED,
        """
# %% imports
import os
# %% functions
def enable(flag):
    os.environ[flag] = "1"
def enabled(flag):
    return os.environ.get(flag) == "1"
# %% step:a
enable("KALE_F")
# %% step:b prev:a
print(enabled("KALE_F"))
""",
        mentions=("enable",),
    ),
    Case(
        "a decorator whose wrapper changes the warnings filter",
        WARNED,
        """
# %% imports
import warnings
# %% functions
def strict(fn):
    def wrapper(*args):
        warnings.simplefilter("error")
        return fn(*args)
    return wrapper
@strict
def double(x):
    return 2 * x
# %% step:a
y = double(2)
# %% step:b prev:a
try:
    warnings.warn("x")
    print(y, "passed")
except UserWarning:
    print(y, "raised")
""",
        mentions=("double", "warnings"),
    ),
    Case(
        "a helper changes the working directory",
        WARNED,
        """
# %% imports
import os
# %% functions
def go(folder):
    os.chdir(folder)
# %% step:a
go("/")
# %% step:b prev:a
print(os.getcwd())
""",
        mentions=("go", "working directory"),
    ),
    Case(
        "setattr on a module in a helper",
        WARNED,
        """
# %% imports
import string
# %% functions
def patch():
    setattr(string, "digits", "0")
# %% step:a
patch()
# %% step:b prev:a
print(string.digits)
""",
        mentions=("patch", "string"),
    ),
    Case(
        "a helper called in the functions cell sets the option in every step",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% functions
def setup():
    pd.set_option("display.precision", 2)
setup()
# %% step:a
s = pd.Series([1.23456])
# %% step:b prev:a
print(s)
""",
        quiet=True,
    ),
    Case(
        "each step calls the helper first",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% functions
def setup():
    pd.set_option("display.precision", 2)
# %% step:a
setup()
s = pd.Series([1.23456])
# %% step:b prev:a
setup()
print(s)
""",
        quiet=True,
    ),
    Case(
        "a helper that puts the option back",
        RIGHT,
        """
# %% imports
import os
import contextlib
import warnings
import numpy as np
# %% functions
@contextlib.contextmanager
def folder(path):
    before = os.getcwd()
    os.chdir(path)
    yield
    os.chdir(before)
def short(values):
    before = np.get_printoptions()["precision"]
    np.set_printoptions(precision=2)
    try:
        return str(values)
    finally:
        np.set_printoptions(precision=before)
def quietly(fn):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fn()
# %% step:a
x = np.array([1.23456])
with folder("/"):
    print(short(x))
n = quietly(lambda: len(x))
# %% step:b prev:a
print(x, os.path.basename(os.getcwd()), n, len(warnings.__name__))
""",
        quiet=True,
    ),
    Case(
        "a helper that nobody calls",
        RIGHT,
        """
# %% imports
import os
# %% functions
def enable():
    os.environ["KALE_NEVER"] = "1"
# %% step:a
x = 1
# %% step:b prev:a
print(x, os.environ.get("KALE_NEVER"))
""",
        quiet=True,
    ),
    Case(
        "another environment variable is read",
        RIGHT,
        """
# %% imports
import os
# %% step:a
os.environ["KALE_ONE"] = "1"
x = os.environ["KALE_ONE"]
# %% step:b prev:a
print(x, os.environ.get("KALE_OTHER"))
""",
        quiet=True,
    ),
    Case(
        "a method of a library is no method of the notebook",
        RIGHT,
        """
# %% imports
import os
import statistics
# %% functions
class Conf:
    def mean(self):
        os.environ["KALE_MEAN"] = "1"
# %% step:a
x = statistics.mean([1, 2, 3])
# %% step:b prev:a
print(x, os.environ.get("KALE_MEAN"))
""",
        quiet=True,
    ),
    Case(
        "the level of a logger set in a step",
        WARNED,
        """
# %% imports
import logging
# %% step:a
logging.getLogger("kale.app").setLevel(logging.ERROR)
# %% step:b prev:a
print(logging.getLogger("kale.app").getEffectiveLevel())
""",
        mentions=("the logger `kale.app`",),
    ),
    Case(
        "a handler added in a step to a logger of the imports cell",
        WARNED,
        """
# %% imports
import logging, sys
log = logging.getLogger("kale.added")
# %% step:a
log.addHandler(logging.StreamHandler(sys.stdout))
log.warning("in a")
# %% step:b prev:a
log.warning("in b")
""",
        also=(LOUD,),
        mentions=("log",),
    ),
    Case(
        "a logger configured by a helper that a step calls",
        WARNED,
        """
# %% imports
import logging, sys
# %% functions
def verbose(logger):
    logger.setLevel("DEBUG")
    logger.addHandler(logging.StreamHandler(sys.stdout))
# %% step:a
verbose(logging.getLogger("kale.v"))
x = 1
# %% step:b prev:a
logging.getLogger("kale.v").debug("in b")
print(x)
""",
        mentions=("logger", "verbose"),
    ),
    Case(
        "propagation switched off in a step",
        WARNED,
        """
# %% imports
import logging, sys
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s", force=True)
# %% step:a
logging.getLogger("kale.quiet").propagate = False
x = 1
# %% step:b prev:a
logging.getLogger("kale.quiet.below").info("never")
print(x)
""",
        mentions=("kale.quiet",),
    ),
    Case(
        "basicConfig in a step, through a helper",
        WARNED,
        """
# %% imports
import logging, sys
log = logging.getLogger(__name__)
# %% functions
def configure():
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s", force=True)
# %% step:a
configure()
x = 1
# %% step:b prev:a
log.info("x is %s", x)
""",
        mentions=("the root logger", "configure"),
    ),
    Case(
        "logging configured in the imports cell",
        RIGHT,
        """
# %% imports
import logging, sys
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s", force=True)
log = logging.getLogger("kale.everywhere")
log.setLevel(logging.INFO)
# %% step:a
x = 1
logging.info("in a %s", x)
# %% step:b prev:a
log.info("in b %s", x)
""",
        quiet=True,
    ),
    Case(
        "the logger of a library silenced in a step, another used later",
        RIGHT,
        """
# %% imports
import logging, sys
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s", force=True)
log = logging.getLogger("kale.mine")
# %% step:a
logging.getLogger("kale.other").setLevel(logging.WARNING)
x = 1
# %% step:b prev:a
log.info("x %s", x)
""",
        quiet=True,
    ),
    Case(
        "a handler of the notebook collects records",
        WARNED,
        """
# %% imports
import logging
# %% functions
records = []
class Collector(logging.Handler):
    def emit(self, record):
        records.append(record.getMessage())
log = logging.getLogger("kale.collected")
log.addHandler(Collector())
log.setLevel("INFO")
# %% step:a
log.info("one")
# %% step:b prev:a
log.info("two")
# %% step:c prev:b
print(records)
""",
        also=(LOUD,),
        mentions=("records", "Collector"),
    ),
    Case(
        "a stream that a handler writes to is read in another step",
        WARNED,
        """
# %% imports
import io
import logging
# %% functions
stream = io.StringIO()
log = logging.getLogger("kale.stream")
log.addHandler(logging.StreamHandler(stream))
log.setLevel("INFO")
# %% step:a
log.info("one")
# %% step:b prev:a
print(stream.getvalue())
""",
        also=(LOUD,),
        mentions=("stream",),
    ),
    Case(
        "a module in a folder that the notebook adds is carried",
        RIGHT,
        """
# %% imports
import sys
sys.path.append("lib")
from kale_words import greet
# %% step:a
x = greet("a")
# %% step:b prev:a
print(x, greet("b"))
""",
        files={
            "lib/kale_words.py": "from kale_parts import HELLO\ndef greet(name): return HELLO + name\n",
            "lib/kale_parts.py": "HELLO = 'hello '\n",
        },
        packages={"a": [], "b": []},
        quiet=True,
    ),
    Case(
        "a module that a step writes into a folder of modules is no package",
        LOUD,
        """
# %% imports
import sys, tempfile, os
# %% step:a
d = tempfile.mkdtemp()
with open(os.path.join(d, "kale_made_here.py"), "w") as f:
    f.write("V = 7")
sys.path.insert(0, d)
import kale_made_here
print(kale_made_here.V)
# %% step:b prev:a
print(kale_made_here.V)
""",
        mentions=("kale_made_here", "KC328"),
        why="an index may have another's package of that name",
    ),
]
