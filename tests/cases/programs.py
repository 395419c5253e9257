"""Whole programs, as people write them."""

from __future__ import annotations

from cases.case import RIGHT, Case

CASES = [
    Case(
        "churn with parameters, helpers and metrics",
        RIGHT,
        """
# %% imports
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
# %% pipeline-parameters
SEED = 7
TEST_SIZE = 0.25
C = 1.0
# %% functions
def make(n):
    rng = np.random.default_rng(SEED)
    df = pd.DataFrame({"tenure": rng.integers(0, 60, n), "bill": rng.normal(70, 20, n).round(2), "plan": rng.choice(["a", "b"], n)})
    df["churn"] = ((df["tenure"] < 12) & (df["bill"] > 60)).astype(int)
    return df
# %% step:load
df = make(200)
print(df.shape, df["churn"].sum())
# %% step:features prev:load
df["plan_b"] = (df.pop("plan") == "b").astype(int)
df["ratio"] = df["bill"] / (df["tenure"] + 1)
X = df.drop(columns="churn")
y = df["churn"]
print(list(X))
# %% step:split prev:features
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=TEST_SIZE, random_state=SEED)
print(len(X_train), len(X_test))
# %% step:train prev:split
model = LogisticRegression(C=C, max_iter=1000)
model.fit(X_train, y_train)
print(model.coef_.shape)
# %% step:evaluate prev:train
pred = model.predict(X_test)
acc = accuracy_score(y_test, pred)
f1 = f1_score(y_test, pred)
print(round(acc, 4), round(f1, 4))
# %% pipeline-metrics
acc
f1
""",
        inputs={
            "load": {},
            "features": {"df": "load"},
            "split": {"X": "features", "y": "features"},
            "train": {"X_train": "split", "y_train": "split"},
            "evaluate": {"model": "train", "X_test": "split", "y_test": "split"},
        },
        arguments={"C": 0.5},
        metrics={"evaluate": {"acc": Ellipsis, "f1": Ellipsis}},
    ),
    Case(
        "titanic style cleaning in place over steps",
        RIGHT,
        r"""
# %% block:imports
import numpy as np
import pandas as pd
# %% block:load
train_df = pd.DataFrame({"Name": ["A, Mr. X", "B, Mrs. Y", "C, Miss. Z", "D, Dr. W"], "Age": [22, np.nan, 30, np.nan],
                         "Sex": ["m", "f", "f", "m"], "Survived": [0, 1, 1, 0]})
test_df = train_df.drop(columns="Survived").copy()
# %% block:clean prev:load
data = [train_df, test_df]
titles = {"Mr": 1, "Mrs": 2, "Miss": 3}
for dataset in data:
    dataset["Title"] = dataset["Name"].str.extract(r" ([A-Za-z]+)\.", expand=False)
    dataset["Title"] = dataset["Title"].map(titles).fillna(0).astype(int)
    dataset["Age"] = dataset["Age"].fillna(dataset["Age"].median())
    dataset["Sex"] = dataset["Sex"].map({"m": 0, "f": 1})
print(train_df.to_dict("list"))
# %% block:
train_df = train_df.drop(["Name"], axis=1)
test_df = test_df.drop(["Name"], axis=1)
# %% block:model prev:clean
X = train_df.drop("Survived", axis=1)
Y = train_df["Survived"]
print(X.to_dict("list"), Y.tolist(), list(test_df))
""",
        inputs={"clean": {"train_df": "load", "test_df": "load"}, "model": {"train_df": "clean", "test_df": "clean"}},
        why="the loop over [train_df, test_df] changes both through an alias",
    ),
    Case(
        "grid search without prev",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
# %% step:data
iris = load_iris()
X, y = iris.data[::5], iris.target[::5]
print(X.shape)
# %% step:search
pipe = Pipeline([("scale", StandardScaler()), ("svc", SVC())])
search = GridSearchCV(pipe, {"svc__C": [0.1, 1.0]}, cv=2)
search.fit(X, y)
print(search.best_params_)
# %% step:summary
counts = np.bincount(y)
print(counts)
# %% step:report
best = search.best_estimator_
print(round(best.score(X, y), 3), dict(zip(iris.target_names.tolist(), counts.tolist())))
""",
        inputs={
            "search": {"X": "data", "y": "data"},
            "summary": {"y": "data"},
            "report": {"search": "search", "X": "data", "y": "data", "iris": "data", "counts": "summary"},
        },
        parallel=(("search", "summary"),),
    ),
    Case(
        "a training loop written by hand",
        RIGHT,
        """
# %% imports
import numpy as np
# %% pipeline-parameters
epochs = 5
lr = 0.1
# %% step:data
np.random.seed(0)
X = np.random.randn(30, 2)
y = X @ np.array([2.0, -1.0]) + 0.01 * np.random.randn(30)
print(X.shape)
# %% step:init prev:data
w = np.zeros(2)
history = []
def loss(w):
    return float(((X @ w - y) ** 2).mean())
def step(w):
    grad = 2 * X.T @ (X @ w - y) / len(y)
    w -= lr * grad
print(round(loss(w), 6))
# %% step:train prev:init
for epoch in range(epochs):
    order = np.random.permutation(len(y))
    step(w)
    history.append((epoch, round(loss(w), 6), int(order[0])))
print(history)
# %% step:report prev:train
print(w.round(4), len(history), history[-1], round(loss(w), 6))
""",
        inputs={
            "init": {"X": "data", "y": "data"},
            "train": {"w": "init", "history": "init", "X": "data", "y": "data"},
        },
        arguments={"epochs": 3},
        why=(
            "step() changes w in place through its parameter; the random state goes on from data through init to train"
        ),
    ),
    Case(
        "text processing with the standard library",
        RIGHT,
        """
# %% imports
import re
import string
from collections import Counter, defaultdict
# %% functions
STOP = {"the", "a", "of"}
def tokens(text):
    return [t for t in re.findall(r"[a-z']+", text.lower()) if t not in STOP]
# %% step:corpus
docs = {
    "one": "The cat sat on the mat. A cat!",
    "two": "Dogs of war; the dog's mat",
}
print(len(docs))
# %% step:count prev:corpus
counts = {name: Counter(tokens(text)) for name, text in docs.items()}
index = defaultdict(set)
for name, c in counts.items():
    for word in c:
        index[word].add(name)
print(sorted(index)[:3])
# %% step:query prev:count
hits = sorted(index["mat"])
index["nothing"]
print(hits, counts["one"].most_common(1))
# %% step:report prev:query
STOP = STOP | {"on"}
print({n: tokens(t) for n, t in docs.items()}, len(index))
""",
        inputs={
            "count": {"docs": "corpus"},
            "query": {"index": "count", "counts": "count"},
            "report": {"docs": "corpus", "index": "query"},
        },
        why="a defaultdict read by subscript grows: report must see query's index",
    ),
    Case(
        "cross validation with a fold loop and conditional best",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeRegressor
# %% step:data
rng = np.random.default_rng(1)
X = rng.uniform(size=(40, 2))
y = X[:, 0] * 3 + X[:, 1]
# %% step:cv prev:data
best_score, best_model = -np.inf, None
for depth in (1, 3):
    scores = []
    for tr, te in KFold(4).split(X):
        m = DecisionTreeRegressor(max_depth=depth, random_state=0).fit(X[tr], y[tr])
        scores.append(m.score(X[te], y[te]))
    if np.mean(scores) > best_score:
        best_score, best_model, best_depth = np.mean(scores), m, depth
print(best_depth, round(best_score, 4))
# %% step:final prev:cv
if best_score < 0.99:
    best_model = DecisionTreeRegressor(max_depth=best_depth + 1, random_state=0).fit(X, y)
print(best_model.get_depth())
# %% step:use prev:final
print(best_model.predict(X[:2]).round(3), depth)
""",
        inputs={"use": {"best_model": "final", "X": "data", "depth": "cv"}},
    ),
    Case(
        "a class based trainer with callbacks",
        RIGHT,
        """
# %% imports
import numpy as np
from dataclasses import dataclass, field
# %% functions
@dataclass
class Config:
    lr: float = 0.5
    steps: int = 3
    log: list = field(default_factory=list)
class Callback:
    def on_step(self, trainer, i): ...
class Recorder(Callback):
    def on_step(self, trainer, i):
        trainer.cfg.log.append((i, round(float(trainer.w), 4)))
class Trainer:
    def __init__(self, cfg, callbacks=()):
        self.cfg, self.callbacks, self.w = cfg, list(callbacks), np.float64(0)
    def fit(self, target):
        for i in range(self.cfg.steps):
            self.w += self.cfg.lr * (target - self.w)
            for cb in self.callbacks:
                cb.on_step(self, i)
        return self
# %% step:setup
cfg = Config(steps=2)
trainer = Trainer(cfg, [Recorder()])
print(trainer.cfg)
# %% step:train prev:setup
trainer.fit(10)
print(trainer.w, trainer.cfg.log)
# %% step:more prev:train
trainer.fit(0)
print(trainer.w, len(trainer.cfg.log))
# %% step:report prev:more
print(trainer.cfg.log, isinstance(trainer.callbacks[0], Callback))
""",
        inputs={"train": {"trainer": "setup"}, "more": {"trainer": "train"}, "report": {"trainer": "more"}},
    ),
    Case(
        "pandas groupby, merge, apply with a notebook function",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% pipeline-parameters
vat = 0.2
# %% functions
def gross(row):
    return round(row["net"] * (1 + vat), 2)
# %% step:orders
orders = pd.DataFrame({"cust": [1, 2, 1, 3], "net": [10.0, 20.0, 30.0, 5.0], "day": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-02-01", "2024-02-03"])})
# %% step:customers
customers = pd.DataFrame({"cust": [1, 2, 3], "name": pd.Categorical(["x", "y", "x"])})
# %% step:join
full = orders.merge(customers, on="cust")
full["gross"] = full.apply(gross, axis=1)
print(full["gross"].tolist())
# %% step:agg
monthly = full.groupby([full["day"].dt.to_period("M"), "name"], observed=True)["gross"].agg(["sum", "count"])
print(monthly.to_dict("list"), [str(i[0]) for i in monthly.index])
# %% step:top
top = full.nlargest(1, "gross").iloc[0]
print(top["name"], top["gross"])
""",
        inputs={
            "join": {"orders": "orders", "customers": "customers"},
            "agg": {"full": "join"},
            "top": {"full": "join"},
        },
        parallel=(("orders", "customers"), ("agg", "top")),
        arguments={"vat": 0.1},
    ),
    Case(
        "time series with rolling windows and an in-place index",
        RIGHT,
        """
# %% imports
import numpy as np
import pandas as pd
# %% step:series
idx = pd.date_range("2024-01-01", periods=10, freq="D", tz="Europe/Berlin")
ts = pd.DataFrame({"t": idx, "v": np.arange(10.0) ** 2})
# %% step:index prev:series
ts.set_index("t", inplace=True)
ts.loc[ts.index[3], "v"] = np.nan
ts["v"] = ts["v"].interpolate()
print(ts["v"].tolist())
# %% step:features prev:index
for lag in (1, 2):
    ts[f"lag{lag}"] = ts["v"].shift(lag)
feat = ts.dropna()
print(feat.shape, str(feat.index[0]))
# %% step:model prev:features
A = np.c_[feat[["lag1", "lag2"]].to_numpy(), np.ones(len(feat))]
coef, *_ = np.linalg.lstsq(A, feat["v"].to_numpy(), rcond=None)
print(coef.round(3), ts.shape)
""",
        inputs={
            "index": {"ts": "series"},
            "features": {"ts": "index"},
            "model": {"feat": "features", "ts": "features"},
        },
    ),
    Case(
        "clustering, projection and a report in a diamond",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
# %% step:data
X, truth = make_blobs(60, centers=3, n_features=4, random_state=3)
# %% step:cluster prev:data
km = KMeans(3, n_init=2, random_state=0).fit(X)
labels = km.labels_
print(np.bincount(labels))
# %% step:project prev:data
P = PCA(2, random_state=0).fit_transform(X)
print(P.shape)
# %% step:report prev:cluster:project
centers = np.array([P[labels == k].mean(axis=0) for k in range(3)])
print(np.abs(centers).round(2).shape, len(set(zip(labels, truth))))
""",
        inputs={
            "cluster": {"X": "data"},
            "project": {"X": "data"},
            "report": {"P": "project", "labels": "cluster", "truth": "data"},
        },
        parallel=(("cluster", "project"),),
        quiet=True,
    ),
    Case(
        "simulation with a class holding its own generator",
        RIGHT,
        """
# %% imports
import random
# %% step:world
class World:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.agents = {i: 0 for i in range(3)}
    def tick(self):
        for a in self.agents:
            self.agents[a] += self.rng.choice([-1, 1])
world = World(4)
# %% step:run prev:world
for _ in range(5):
    world.tick()
print(world.agents)
# %% step:more prev:run
for _ in range(5):
    world.tick()
print(world.agents)
# %% step:report prev:more
print(max(world.agents.values()), round(world.rng.random(), 6))
""",
        inputs={"run": {"world": "world"}, "more": {"world": "run"}, "report": {"world": "more"}},
        why="the step is called `world` like its variable",
    ),
    Case(
        "numpy and python mixed accumulations in parallel branches",
        RIGHT,
        """
# %% imports
import numpy as np
# %% step:base
data = np.arange(12).reshape(3, 4)
i = 0
# %% step:rows prev:base
row_sums = []
for i in range(len(data)):
    row_sums.append(int(data[i].sum()))
print(row_sums)
# %% step:cols prev:base
col_sums = []
for i in range(data.shape[1]):
    col_sums.append(int(data[:, i].sum()))
print(col_sums)
# %% step:total prev:rows:cols
assert sum(row_sums) == sum(col_sums)
total = sum(row_sums)
print(total)
""",
        inputs={"total": {"row_sums": "rows", "col_sums": "cols"}},
        parallel=(("rows", "cols"),),
        why="i is written in both branches and read in none below",
    ),
    Case(
        "stacked models: predictions of parallel steps as features",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
# %% functions
def train(model, X, y):
    model.fit(X, y)
    return model, model.predict_proba(X)[:, 1]
# %% step:data
rng = np.random.default_rng(2)
X = rng.normal(size=(50, 3))
y = (X.sum(axis=1) > 0).astype(int)
# %% step:forest
rf, p1 = train(RandomForestClassifier(5, random_state=0), X, y)
print(p1.round(2)[:3])
# %% step:bayes
nb, p2 = train(GaussianNB(), X, y)
print(p2.round(2)[:3])
# %% step:stack
Z = np.c_[p1, p2]
meta, p3 = train(LogisticRegression(), Z, y)
print(round(meta.score(Z, y), 3), p3.shape)
""",
        inputs={
            "forest": {"X": "data", "y": "data"},
            "bayes": {"X": "data", "y": "data"},
            "stack": {"p1": "forest", "p2": "bayes", "y": "data"},
        },
        parallel=(("forest", "bayes"),),
        why="the helper calls model.fit(X, y): X and y stay as they are",
    ),
    Case(
        "a vectorizer fitted on train and reused on test",
        RIGHT,
        """
# %% imports
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
# %% step:corpus
train_texts, train_y = ["good film", "bad film", "great good", "awful bad"], [1, 0, 1, 0]
test_texts = ["good great", "awful film"]
vec = TfidfVectorizer()
clf = MultinomialNB()
# %% step:fit
X = vec.fit_transform(train_texts)
clf.fit(X, train_y)
print(X.shape)
# %% step:predict
print(clf.predict(vec.transform(test_texts)).tolist(), sorted(vec.vocabulary_)[:2])
# %% step:explain
print(len(vec.get_feature_names_out()), clf.class_count_.tolist())
""",
        inputs={
            "fit": {"vec": "corpus", "clf": "corpus", "train_texts": "corpus", "train_y": "corpus"},
            "predict": {"clf": "fit", "vec": "fit", "test_texts": "corpus"},
            "explain": {"vec": "fit", "clf": "fit"},
        },
    ),
    Case(
        "warm start and partial_fit over steps",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.linear_model import SGDClassifier
# %% step:data
rng = np.random.RandomState(0)
X = rng.randn(40, 2)
y = (X[:, 0] > 0).astype(int)
clf = SGDClassifier(random_state=0)
# %% step:first prev:data
clf.partial_fit(X[:20], y[:20], classes=[0, 1])
print(clf.coef_.round(3).tolist(), clf.t_)
# %% step:second prev:first
clf.partial_fit(X[20:], y[20:])
print(clf.coef_.round(3).tolist(), clf.t_)
# %% step:params prev:second
clf.set_params(alpha=0.5)
print(clf.alpha)
# %% step:report prev:params
print(clf.alpha, round(clf.score(X, y), 3))
""",
        inputs={
            "first": {"clf": "data", "X": "data", "y": "data"},
            "second": {"clf": "first", "X": "data", "y": "data"},
            "params": {"clf": "second"},
            "report": {"clf": "params", "X": "data", "y": "data"},
        },
    ),
    Case(
        "one column taken as a series and changed",
        RIGHT,
        """
# %% imports
import pandas as pd
# %% step:a
df = pd.DataFrame({"v": [1, 2, 3], "g": ["x", "y", "x"]})
# %% step:b prev:a
col = df["v"]
col = col * 10
df["w"] = col
sub = df[df["g"] == "x"]
sub = sub.assign(v=0)
df.loc[df["g"] == "y", "v"] = -1
print(df["v"].tolist())
# %% step:c prev:b
print(df.to_dict("list"), sub["v"].tolist())
""",
        inputs={"b": {"df": "a"}, "c": {"df": "b", "sub": "b"}},
    ),
    Case(
        "etl with a queue of dict records and a lookup table",
        RIGHT,
        """
# %% imports
import json
from itertools import groupby
from operator import itemgetter
# %% functions
LOOKUP = {"de": "Germany", "fr": "France"}
errors = []
def enrich(rec):
    try:
        rec["country"] = LOOKUP[rec["cc"]]
    except KeyError as exc:
        errors.append(str(exc))
        rec["country"] = None
    return rec
# %% step:extract
raw = '[{"id": 1, "cc": "de"}, {"id": 2, "cc": "xx"}, {"id": 3, "cc": "fr"}, {"id": 4, "cc": "de"}]'
records = json.loads(raw)
print(len(records))
# %% step:transform prev:extract
clean = [enrich(r) for r in records]
print(errors)
# %% step:load prev:transform
ok = sorted((r for r in records if r["country"]), key=itemgetter("country"))
summary = {k: [r["id"] for r in g] for k, g in groupby(ok, key=itemgetter("country"))}
print(summary, len(errors))
# %% step:audit prev:load
LOOKUP["xx"] = "Nowhere"
print([enrich(dict(r)) for r in clean if not r["country"]], errors)
""",
        inputs={"transform": {"records": "extract"}},
        why=(
            "records' elements are changed by enrich through the comprehension variable; errors is state of "
            "the functions cell"
        ),
    ),
    Case(
        "model selection keeps the best in a loop over a dict of estimators",
        RIGHT,
        """
# %% imports
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor
# %% step:data
X = np.linspace(0, 1, 20).reshape(-1, 1)
y = np.sin(X).ravel()
models = {"ridge": Ridge(), "tree": DecisionTreeRegressor(max_depth=3, random_state=0)}
scores = {}
# %% step:fit prev:data
for name, model in models.items():
    model.fit(X, y)
    scores[name] = model.score(X, y)
print({k: round(v, 3) for k, v in scores.items()})
# %% step:choose prev:fit
best = max(scores, key=scores.get)
winner = models[best]
print(best)
# %% step:use prev:choose
print(winner.predict(X[:2]).round(3), hasattr(models["ridge"], "coef_"))
""",
        inputs={
            "fit": {"models": "data", "scores": "data", "X": "data", "y": "data"},
            "choose": {"scores": "fit", "models": "fit"},
        },
    ),
    Case(
        "matplotlib figures beside numbers",
        RIGHT,
        """
# %% imports
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
# %% step:data
x = np.linspace(0, 1, 5)
# %% step:plot prev:data
fig, axes = plt.subplots(1, 2)
for ax, p in zip(axes, (1, 2)):
    ax.plot(x, x**p, label=f"p{p}")
    ax.legend()
fig.tight_layout()
plt.show()
labels = [ax.get_legend().get_texts()[0].get_text() for ax in axes]
print(labels)
# %% step:report prev:plot
print(labels, x.sum())
""",
        inputs={"plot": {"x": "data"}, "report": {"labels": "plot", "x": "data"}},
    ),
    Case(
        "feature store in nested dicts with setdefault across parallel readers",
        RIGHT,
        """
# %% step:store
store = {}
def put(ns, key, value):
    store.setdefault(ns, {})[key] = value
put("raw", "n", 3)
print(store)
# %% step:derive prev:store
put("derived", "sq", store["raw"]["n"] ** 2)
print(store)
# %% step:left prev:derive
l = store["derived"]["sq"] + 1
print(l)
# %% step:right prev:derive
r = {**store["raw"], "x": 1}
print(r)
# %% step:end prev:left:right
put("end", "sum", l + r["n"])
print(store)
""",
        inputs={
            "derive": {"store": "store"},
            "left": {"store": "derive"},
            "right": {"store": "derive"},
            "end": {"store": "derive", "l": "left", "r": "right"},
        },
        parallel=(("left", "right"),),
        quiet=True,
    ),
]
