"""Models and images pass from one process to another as they were, with the handlers that steps carry for them.

Each row makes values in one process and compares them in another, with the runtime as a step has it. Rows without a
library here are skipped: `pip install pillow xgboost-cpu lightgbm catboost keras jax spacy onnx` runs them all.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
import runtime_steps
from runtime_steps import output, piece, take

from kalecompiler import registered
from kalecompiler.payload import handler_json

DATA = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 5)).astype("float32")
y = (X[:, 0] > 0).astype(int)
"""

# library -> (what makes `v`, what must hold of `v` and of `w`, which is made again in the step that takes `v`)
EQUAL: dict[str, tuple[str, str, str]] = {
    "an image": (
        "PIL",
        "from PIL import Image\nv = [Image.new(m, (3, 2), 1) for m in '1 L P RGB RGBA CMYK HSV I F LA I;16'.split()]\n"
        "for each in v: each.info['dpi'] = (72, 72)",
        "assert v == w and [i.info for i in v] == [i.info for i in w], v",
    ),
    "a palette with alpha": (
        "PIL",
        "from PIL import Image\nv = Image.new('P', (4, 4))\nv.putpalette(bytes(range(256)) * 4, 'RGBA')",
        "assert v.palette.mode == 'RGBA' and v.convert('RGBA') == w.convert('RGBA')",
    ),
    "a palette": (
        "PIL",
        "from PIL import Image\nv = Image.new('P', (4, 4), 2)\nv.putpalette([1, 2, 3, 4, 5, 6, 7, 8, 9])",
        "assert v == w and v.getpalette() == w.getpalette() and v.convert('RGB') == w.convert('RGB')",
    ),
    "an image of a file": (
        "PIL",
        "import io\nfrom PIL import Image\nfile = io.BytesIO()\nplain = Image.new('RGB', (3, 3), 'red')\n"
        "exif = plain.getexif()\nexif[272] = 'camera'\nplain.save(file, 'PNG', exif=exif)\nv = Image.open(file)",
        "assert type(v) is type(w) and v == w and dict(v.getexif()) == {272: 'camera'} and v.format == 'PNG'",
    ),
    "a Booster of xgboost": (
        "xgboost",
        DATA + "import xgboost\nd = xgboost.DMatrix(X, y, feature_names=list('abcde'))\n"
        "v = xgboost.train({'max_depth': 3, 'objective': 'binary:logistic'}, d, 5)\n"
        "v.set_attr(note='hi')\nv.best_iteration = 2",
        "assert (v.predict(d) == w.predict(d)).all() and v.save_config() == w.save_config()\n"
        "assert v.attributes() == w.attributes() and v.best_iteration == 2 and v.feature_names == list('abcde')\n"
        "more = [xgboost.train({'max_depth': 2}, d, 3, xgb_model=m).predict(d) for m in (v, w)]\n"
        "assert (more[0] == more[1]).all()",
    ),
    "estimators of xgboost": (
        "xgboost",
        DATA
        + "import xgboost\nv = {'m': xgboost.XGBClassifier(n_estimators=5).fit(X, y), 'new': xgboost.XGBRegressor()}",
        "assert (v['m'].predict_proba(X) == w['m'].predict_proba(X)).all() and type(v['new']) is xgboost.XGBRegressor\n"
        "assert str(v['m'].get_params()) == str(w['m'].get_params())",
    ),
    "a DMatrix of xgboost": (
        "xgboost",
        DATA + "import xgboost\nv = xgboost.DMatrix(X, y, weight=X[:, 1] ** 2, feature_names=list('abcde'))",
        "assert (v.get_weight() == w.get_weight()).all() and (v.get_label() == w.get_label()).all()\n"
        "m = xgboost.train({}, w, 3)\nassert (m.predict(v) == m.predict(w)).all() and v.feature_names == list('abcde')",
    ),
    "a model of lightgbm, by pickle": (
        "lightgbm",
        DATA + "import lightgbm\noptions = {'objective': 'binary', 'verbose': -1, 'deterministic': True}\n"
        "v = lightgbm.train(options, lightgbm.Dataset(X, y), 5), lightgbm.LGBMClassifier(n_estimators=5).fit(X, y)",
        "assert all((a.predict(X) == b.predict(X)).all() for a, b in zip(v, w))\n"
        "assert v[0].params == w[0].params and v[1].get_params() == w[1].get_params()",
    ),
    "a model of catboost, by pickle": (
        "catboost",
        DATA + "import catboost\n"
        "v = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False).fit(X, y)",
        "assert (v.predict_proba(X) == w.predict_proba(X)).all() and v.get_params() == w.get_params()\n"
        "assert v.get_all_params() == w.get_all_params()\n"
        "assert np.isclose(v.best_score_['learn']['Logloss'], w.best_score_['learn']['Logloss'], rtol=1e-14)",
    ),
    "a pipeline of spaCy and its document, by pickle": (
        "spacy",
        "import spacy\nnlp = spacy.blank('en')\nnlp.add_pipe('sentencizer')\n"
        "nlp.add_pipe('entity_ruler').add_patterns([{'label': 'ORG', 'pattern': 'Apple'}])\n"
        "v = nlp, nlp('Apple is here. It is.')",
        "assert v[0].pipe_names == w[0].pipe_names and v[0].config == w[0].config and v[1].vocab is v[0].vocab\n"
        "assert [[e.text for e in m('Apple. It.').ents] for m in (v[0], w[0])] == [['Apple']] * 2",
    ),
    "a model of ONNX, by pickle": (
        "onnx",
        "from onnx import TensorProto, helper\nends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) "
        "for n in 'xy']\nv = helper.make_model(helper.make_graph([helper.make_node('Relu', ['x'], ['y'])], 'g', "
        "ends[:1], ends[1:]))",
        "assert v == w and type(v) is type(w)",
    ),
    "a model of keras, with its optimizer and its chance": (
        "keras",
        DATA + "import keras\nkeras.utils.set_random_seed(1)\nv = keras.Sequential([keras.layers.Input((5,)), "
        "keras.layers.Dense(4), keras.layers.Dropout(0.5), keras.layers.Dense(1)])\n"
        "v.compile('adam', 'mse')\nhistory = v.fit(X, y, epochs=2, verbose=0)",
        "assert (v.predict(X, verbose=0) == w.predict(X, verbose=0)).all() and type(v) is keras.Sequential\n"
        "a, b = (m.fit(X, y, epochs=1, verbose=0, shuffle=False).history for m in (v, w))\nassert a == b, (a, b)",
    ),
    "a model of keras of the notebook's own classes": (
        "keras",
        DATA + "import keras\nclass Triple(keras.layers.Layer):\n    def call(self, x): return x * 3\n"
        "def shifted(x): return x + 1\n"
        "v = {'m': keras.Sequential([keras.layers.Input((5,)), Triple(), keras.layers.Activation(shifted)])}",
        "assert (v['m'](X) == w['m'](X)).all() and type(v['m'].layers[0]) is Triple",
    ),
}


def is_here(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def pass_on(folder: Path, make: str, check: str) -> str:
    """Make `v` in one process and `check` it in another; the first error output, empty where all went well."""
    entries = [handler_json(handler) for handler in registered.shipped()]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": ""}
    maker = runtime_steps.step(make, name="make", handlers=entries, outputs=[output("v", "take")])
    made = runtime_steps.run(folder, maker, env=environment)
    if made.status:
        return made.err
    again = piece(make + "\nw = v", "functions")
    taker = runtime_steps.step(again, check, name="take", handlers=entries, inputs=[take("v", "make")])
    taken = runtime_steps.run(folder, taker, {"make": made}, env=environment)
    return taken.err if taken.status else ""


@pytest.mark.parametrize("label", EQUAL)
def test_what_was_handed_on_is_equal(label: str, tmp_path: Path) -> None:
    library, make, check = EQUAL[label]
    if not is_here(library):
        pytest.skip(f"{library} is not installed")
    assert pass_on(tmp_path, make, check) == ""


REFUSED: dict[str, tuple[str, str, str]] = {
    "an image of several frames": (
        "PIL",
        "import io\nfrom PIL import Image\nfile = io.BytesIO()\n"
        "frames = [Image.new('L', (4, 4), i * 50) for i in range(3)]\n"
        "frames[0].save(file, 'GIF', save_all=True, append_images=frames[1:])\nv = Image.open(file)",
        "the image has 3 frames, and only one would go on",
    ),
    "an optimizer of keras without its model": (
        "keras",
        DATA + "import keras\nm = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(1)])\n"
        "m.compile('adam', 'mse')\nhistory = m.fit(X, y, epochs=1, verbose=0)\nv = m.optimizer",
        "keras does not keep the state of a Adam that is handed on alone; hand on its model",
    ),
    "a DMatrix of quantiles": (
        "xgboost",
        DATA + "import xgboost\nv = xgboost.QuantileDMatrix(X, y)",
        "QuantileDMatrix",
    ),
    "a Booster without a model": (
        "xgboost",
        "import xgboost\nv = xgboost.Booster()",
        "handler 'xgboost': XGBoostError",
    ),
    "a data set of lightgbm": ("lightgbm", DATA + "import lightgbm\nv = lightgbm.Dataset(X, y).construct()", "ctypes"),
    "a pool of catboost": (
        "catboost",
        DATA + "import catboost\nv = catboost.Pool(X, y)",
        "catboost.Pool, which cannot be saved",
    ),
}


@pytest.mark.parametrize("label", REFUSED)
def test_what_would_not_come_back_equal_is_refused(label: str, tmp_path: Path) -> None:
    library, make, message = REFUSED[label]
    if not is_here(library):
        pytest.skip(f"{library} is not installed")
    found = pass_on(tmp_path, make, "")
    assert "cannot hand 'v'" in found
    assert message in found


def test_a_model_of_a_later_xgboost_is_refused(tmp_path: Path) -> None:
    if not is_here("xgboost"):
        pytest.skip("xgboost is not installed")
    make = EQUAL["a Booster of xgboost"][1] + "\nxgboost.__version__ = '99.1.0'"
    entries = [handler_json(handler) for handler in registered.shipped()]
    maker = runtime_steps.step(make, name="make", handlers=entries, outputs=[output("v", "take")])
    made = runtime_steps.run(tmp_path, maker)
    taker = runtime_steps.step("print(v)", name="take", handlers=entries, inputs=[take("v", "make")])
    taken = runtime_steps.run(tmp_path, taker, {"make": made})
    assert taken.status == 1
    assert "xgboost 99.1.0 wrote it, and xgboost " in taken.err
