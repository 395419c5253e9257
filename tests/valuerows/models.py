# ruff: noqa: E501 - cells as people write them
"""scikit-learn's and scipy's values."""

from valuetable import Row

IMPORTS = """import numpy as np
import pandas as pd
import scipy.interpolate
import scipy.optimize
import scipy.sparse
import scipy.spatial
import scipy.stats
import sklearn.base
import sklearn.cluster
import sklearn.compose
import sklearn.datasets
import sklearn.decomposition
import sklearn.ensemble
import sklearn.feature_extraction.text
import sklearn.impute
import sklearn.linear_model
import sklearn.metrics
import sklearn.model_selection
import sklearn.naive_bayes
import sklearn.neighbors
import sklearn.neural_network
import sklearn.pipeline
import sklearn.preprocessing
import sklearn.svm
import sklearn.tree
import sklearn.utils"""

DATA = """
X = np.random.default_rng(0).random((60, 3))
y = (X[:, 0] + X[:, 1] > 1).astype(int)
table = pd.DataFrame(X, columns=["a", "b", "c"]).assign(k=np.where(y, "yes", "no"))


def double(values):
    return values * 2


class Shift(sklearn.base.BaseEstimator, sklearn.base.TransformerMixin):
    def __init__(self, by=1):
        self.by = by

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return X - self.mean_ + self.by


class Majority(sklearn.base.ClassifierMixin, sklearn.base.BaseEstimator):
    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.answer_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X):
        return np.full(len(X), self.answer_)
"""

SK = "sklearn pandas"
SAME = "np.array_equal(it.predict(X), twin.predict(X)) and repr(it) == repr(twin)"


def _fitted(name: str, source: str) -> Row:
    check = "np.array_equal(it.transform(X), twin.transform(X))" if "predict" not in source else SAME
    return Row(name, f"{source.replace('predict ', '')}.fit(X, y)", check, define=DATA, needs=SK, loose=True)


MODELS = tuple(
    _fitted(name, source)
    for name, source in {
        "LinearRegression": "predict sklearn.linear_model.LinearRegression()",
        "LogisticRegression": "predict sklearn.linear_model.LogisticRegression()",
        "a decision tree": "predict sklearn.tree.DecisionTreeClassifier(random_state=0)",
        "a random forest": "predict sklearn.ensemble.RandomForestClassifier(n_estimators=5, random_state=0)",
        "gradient boosting": "predict sklearn.ensemble.GradientBoostingClassifier(n_estimators=3, random_state=0)",
        "boosting of histograms": "predict sklearn.ensemble.HistGradientBoostingClassifier(max_iter=3, random_state=0)",
        "a support vector machine": "predict sklearn.svm.SVC()",
        "neighbours in a tree": "predict sklearn.neighbors.KNeighborsClassifier(algorithm='kd_tree')",
        "a neural network": "predict sklearn.neural_network.MLPClassifier(hidden_layer_sizes=(2,), max_iter=250, random_state=0)",
        "naive Bayes": "predict sklearn.naive_bayes.GaussianNB()",
        "KMeans": "predict sklearn.cluster.KMeans(2, n_init=1, random_state=0)",
        "PCA": "sklearn.decomposition.PCA(2, random_state=0)",
        "a scaler": "sklearn.preprocessing.StandardScaler()",
        "a function as transformer": "sklearn.preprocessing.FunctionTransformer(double)",
        "a lambda as transformer": "sklearn.preprocessing.FunctionTransformer(lambda v: v + 1)",
        "a transformer of the notebook": "Shift(2)",
        "an estimator of the notebook": "predict Majority()",
        "a pipeline": "predict sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), sklearn.svm.LinearSVC(random_state=0))",
        "a pipeline with the notebook's transformer": "predict sklearn.pipeline.make_pipeline(Shift(), sklearn.linear_model.RidgeClassifier())",
        "a vote": "predict sklearn.ensemble.VotingClassifier([('a', Majority()), ('b', sklearn.tree.DecisionTreeClassifier(random_state=1))])",
    }.items()
)

ROWS = (
    *MODELS,
    Row(
        "an estimator that was not fitted",
        "sklearn.svm.SVC(C=2.5, gamma='auto')",
        "it.get_params() == twin.get_params()",
        needs=SK,
        loose=True,
    ),
    Row(
        "a transformer of columns",
        "sklearn.compose.ColumnTransformer([('n', sklearn.preprocessing.StandardScaler(), ['a', 'b']), ('k', sklearn.preprocessing.OneHotEncoder(), ['k'])])"
        ".set_output(transform='default').fit(table)",
        "np.array_equal(it.transform(table), twin.transform(table)) and list(it.get_feature_names_out()) == list(twin.get_feature_names_out())",
        define=DATA,
        needs=SK,
        loose=True,
    ),
    Row(
        "a transformer that gives frames",
        "sklearn.preprocessing.StandardScaler().set_output(transform='pandas').fit(table[['a', 'b']])",
        "it.transform(table[['a', 'b']]).equals(twin.transform(table[['a', 'b']]))",
        define=DATA,
        needs=SK,
        loose=True,
    ),
    Row(
        "a search with a RandomState",
        "sklearn.model_selection.GridSearchCV(sklearn.tree.DecisionTreeClassifier(random_state=np.random.RandomState(3)), {'max_depth': [1, 2]}, cv=3).fit(X, y)",
        "it.best_params_ == twin.best_params_ and np.array_equal(it.predict(X), twin.predict(X))"
        " and it.estimator.random_state.normal() == twin.estimator.random_state.normal()",
        define=DATA,
        needs=SK,
        loose=True,
    ),
    Row(
        "a random search",
        "sklearn.model_selection.RandomizedSearchCV(sklearn.svm.SVC(), {'C': scipy.stats.uniform(1, 2)}, n_iter=2, cv=2, random_state=0).fit(X, y)",
        "it.best_params_ == twin.best_params_",
        define=DATA,
        needs=SK,
        loose=True,
    ),
    Row(
        "words",
        "sklearn.feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2)).fit(['a big cat', 'a dog'])",
        "(it.transform(['big dog']) != twin.transform(['big dog'])).nnz == 0",
        needs=SK,
        loose=True,
    ),
    Row(
        "an encoder of labels",
        "sklearn.preprocessing.LabelEncoder().fit(['b', 'a'])",
        "it.transform(['b'])[0] == 1",
        needs=SK,
        loose=True,
    ),
    Row(
        "an encoder of categories",
        "sklearn.preprocessing.OrdinalEncoder(dtype='f4', handle_unknown='use_encoded_value', unknown_value=-1).fit(table[['k']])",
        "it.transform(table[['k']]).dtype == 'f4'",
        define=DATA,
        needs=SK,
        loose=True,
    ),
    Row(
        "an imputer",
        "sklearn.impute.SimpleImputer().fit(np.array([[1, np.nan], [3, 4]]))",
        "it.transform([[np.nan, np.nan]]).tolist() == [[2, 4]]",
        needs=SK,
        loose=True,
    ),
    Row(
        "a Bunch",
        "sklearn.utils.Bunch(data=np.zeros(2), names=['a'])",
        "it.data.tolist() == [0, 0] and it.names == ['a']",
        needs=SK,
    ),
    Row(
        "a data set",
        "sklearn.datasets.load_iris(as_frame=True)",
        "it.frame.equals(twin.frame) and it.target_names.tolist() == twin.target_names.tolist()",
        needs=SK,
        loose=True,
    ),
    Row(
        "folds",
        "sklearn.model_selection.KFold(3, shuffle=True, random_state=1)",
        "[a.tolist() for a, _ in it.split(X)] == [a.tolist() for a, _ in twin.split(X)]",
        define=DATA,
        needs=SK,
        loose=True,
    ),
    Row(
        "a scorer",
        "sklearn.metrics.make_scorer(sklearn.metrics.fbeta_score, beta=2)",
        "repr(it) == repr(twin)",
        needs=SK,
        loose=True,
    ),
    Row(
        "a model and its data in one dict",
        "V = {'X': X}\nV['model'] = sklearn.neighbors.KNeighborsClassifier(algorithm='brute').fit(V['X'], y)",
        "np.array_equal(it['model'].predict(X), twin['model'].predict(X))",
        define=DATA,
        needs=SK,
        loose=True,
    ),
    *(
        Row(
            f"a sparse {kind}",
            f"scipy.sparse.{kind}(np.array([[0, 0, 1.5], [2, 0, 0]]))",
            "it.format == twin.format and it.dtype == twin.dtype and (it != twin).nnz == 0 and type(it) is type(twin)",
            needs="scipy",
            loose=True,
        )
        for kind in (
            "csr_matrix",
            "csc_matrix",
            "coo_matrix",
            "bsr_matrix",
            "dia_matrix",
            "lil_matrix",
            "dok_matrix",
            "csr_array",
            "coo_array",
        )
    ),
    Row(
        "a sparse matrix, not sorted",
        "scipy.sparse.csr_matrix((np.array([1.0, 2.0]), np.array([2, 0]), np.array([0, 2])), shape=(1, 3))",
        "it.indices.tolist() == [2, 0] and it.data.tolist() == [1, 2] and not it.has_sorted_indices",
        needs="scipy",
        loose=True,
    ),
    Row(
        "a large sparse matrix",
        "scipy.sparse.random(2000, 2000, 0.1, 'csr', random_state=0)",
        "(it != twin).nnz == 0 and it.data.flags.writeable",
        needs="scipy",
        loose=True,
    ),
    Row(
        "a sparse frame's matrix of bools",
        "scipy.sparse.csc_matrix(np.eye(3, dtype=bool))",
        "it.dtype == bool",
        needs="scipy",
        loose=True,
    ),
    Row("a distribution", "scipy.stats.norm(1, 2)", "it.cdf(0) == twin.cdf(0)", needs="scipy", loose=True),
    Row(
        "an estimate of density",
        "scipy.stats.gaussian_kde([1.0, 2, 4])",
        "it(1.5)[0] == twin(1.5)[0]",
        needs="scipy",
        loose=True,
    ),
    Row(
        "a result of a test",
        "scipy.stats.ttest_ind([1.0, 2, 3], [2.0, 3, 5])",
        "it.pvalue == twin.pvalue and type(it) is type(twin)",
        needs="scipy",
        loose=True,
    ),
    Row(
        "a spline",
        "scipy.interpolate.CubicSpline([0, 1, 2], [0, 1, 4])",
        "it(1.5) == twin(1.5)",
        needs="scipy",
        loose=True,
    ),
    Row("an interpolation", "scipy.interpolate.interp1d([0, 1], [0, 2])", "it(0.5) == 1", needs="scipy", loose=True),
    Row(
        "a tree of points", "scipy.spatial.cKDTree(np.eye(3))", "it.query([1, 0, 0])[1] == 0", needs="scipy", loose=True
    ),
    Row(
        "a rotation",
        "scipy.spatial.transform.Rotation.from_euler('z', 90, degrees=True)",
        "np.array_equal(it.as_quat(), twin.as_quat())",
        needs="scipy",
        loose=True,
    ),
    Row(
        "a result of optimisation",
        "scipy.optimize.minimize(lambda x: (x[0] - 1) ** 2, [0.0])",
        "np.array_equal(it.x, twin.x) and it.success",
        needs="scipy",
        loose=True,
    ),
    Row(
        "an estimator with a generator",
        "sklearn.preprocessing.FunctionTransformer(kw_args={'g': (i for i in 'a')})",
        needs=SK,
        refused="v0.kw_args['g'] is a generator",
    ),
)
