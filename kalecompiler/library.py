"""What is known of libraries: which calls leave their arguments alone, which change their receiver. Data, not code.

A type here is coarse: `pandas` is any frame, series or index, `estimator` anything with scikit-learn's conventions.
A call that no row speaks of is taken to *possibly* change what it is given. Sources are the libraries' documentation.
Rows may be added; they are safe to be missing and dangerous to be wrong.
"""

from __future__ import annotations

SCALAR = "scalar"  # immutable: numbers, text, bytes, None, ranges, paths, dates
LIST, DICT, SET, TUPLE = "list", "dict", "set", "tuple"
NUMPY, PANDAS, ESTIMATOR, ITERATOR, RANDOM, FIGURE, RESOURCE, DEFAULTS = (
    "numpy",
    "pandas",
    "estimator",
    "iterator",
    "random",
    "figure",
    "resource",
    "defaultdict",
)

#: Builtins that do not change their arguments, and the type of what they return (None: not known).
BUILTINS: dict[str, str | None] = {
    **dict.fromkeys("abs bin bool bytes callable chr complex divmod float format hash hex id int".split(), SCALAR),
    **dict.fromkeys("isinstance issubclass len oct ord pow print repr round str hasattr range slice".split(), SCALAR),
    **dict.fromkeys("ascii all any frozenset memoryview".split(), SCALAR),
    **dict.fromkeys("enumerate filter iter map reversed zip".split(), ITERATOR),
    **dict.fromkeys("dir list sorted".split(), LIST),
    **dict.fromkeys("max min sum getattr type vars super object property staticmethod classmethod".split()),
    "dict": DICT,
    "set": SET,
    "tuple": TUPLE,
    "open": RESOURCE,
    "bytearray": None,
    "display": SCALAR,
    "BaseException": None,
}

#: Builtins whose result holds its arguments' own objects.
SHARING_BUILTINS = frozenset(
    "enumerate filter iter map reversed zip list sorted dict set tuple max min getattr sum vars type super".split()
)

#: Builtins that make a new iterator over others.
ADAPTERS = frozenset("enumerate filter iter map reversed zip".split())

#: Functions that change an argument: (position, keyword).
CHANGES: dict[str, tuple[int, str]] = {
    "next": (0, ""),
    "setattr": (0, ""),
    "delattr": (0, ""),
    "random.shuffle": (0, "x"),
    "heapq.heappush": (0, "heap"),
    "heapq.heappop": (0, "heap"),
    "heapq.heapify": (0, "x"),
    "heapq.heapreplace": (0, "heap"),
    "heapq.heappushpop": (0, "heap"),
    "bisect.insort": (0, "a"),
    "bisect.insort_left": (0, "a"),
    "bisect.insort_right": (0, "a"),
    "operator.setitem": (0, ""),
    "operator.delitem": (0, ""),
    "operator.iadd": (0, ""),
    "numpy.random.shuffle": (0, "x"),
    "numpy.put": (0, "a"),
    "numpy.place": (0, "arr"),
    "numpy.putmask": (0, "a"),
    "numpy.copyto": (0, "dst"),
    "numpy.fill_diagonal": (0, "a"),
    "numpy.put_along_axis": (0, "arr"),
    "torch.nn.utils.clip_grad_norm_": (0, "parameters"),
    "struct.pack_into": (1, ""),
}

#: Functions that read or write a stream, if they are not given a path: the position of it.
STREAMS: dict[str, int] = {
    **dict.fromkeys("json.dump pickle.dump joblib.dump torch.save".split(), 1),
    **dict.fromkeys("json.load pickle.load joblib.load torch.load numpy.save numpy.savez numpy.savetxt".split(), 0),
    **dict.fromkeys("numpy.load numpy.loadtxt numpy.genfromtxt".split(), 0),
    **{f"pandas.read_{kind}": 0 for kind in "csv table json excel parquet pickle feather".split()},
}

#: numpy's functions of one and of two arrays: an argument beyond those is where the result goes.
UNARY = frozenset(
    "abs absolute ceil cos cosh exp exp2 expm1 fabs floor invert isfinite isnan log log10 log1p log2 logical_not "
    "negative positive reciprocal rint sign sin sinh sqrt square tan tanh trunc".split()
)
BINARY = frozenset(
    "add arctan2 bitwise_and bitwise_or divide equal floor_divide fmax fmin fmod greater hypot less logical_and "
    "logical_or maximum minimum mod multiply not_equal power remainder subtract true_divide".split()
)

#: numpy's other functions that take the place for their result without its name: how many arguments stand before it.
RESULT_AFTER = dict.fromkeys("dot matmul round around".split(), 2) | {"clip": 3, "take": 3, "cumsum": 3, "cumprod": 3}

#: Modules whose functions leave their arguments alone (but for CHANGES), and the type of what they return.
PURE_MODULES: dict[str, str | None] = {
    "numpy": NUMPY,
    "pandas": PANDAS,
    "scipy": None,
    "sklearn": None,
    "math": SCALAR,
    "cmath": SCALAR,
    "statistics": SCALAR,
    "json": None,
    "re": None,
    "string": SCALAR,
    "textwrap": SCALAR,
    "hashlib": None,
    "time": SCALAR,
    "datetime": SCALAR,
    "os": None,
    "glob": None,
    "pathlib": SCALAR,
    "shutil": None,
    "copy": None,
    "pickle": None,
    "random": None,
    "collections": None,
    "decimal": SCALAR,
    "fractions": SCALAR,
    "uuid": SCALAR,
    "base64": SCALAR,
    "zlib": SCALAR,
    "struct": None,
    "operator": None,
    "inspect": None,
    "pprint": None,
    "warnings": None,
    "logging": None,
    "gc": None,
    "sys": None,
    "platform": SCALAR,
    "matplotlib": FIGURE,
    "seaborn": FIGURE,
    "plotly": FIGURE,
    "IPython": None,
    "dataclasses": None,
    "functools": None,
    "heapq": None,
    "bisect": None,
    "difflib": None,
    "html": SCALAR,
    "unicodedata": SCALAR,
    "enum": None,
    "typing": None,
}

#: Functions whose result may be, hold or view their arguments, though their module is pure.
SHARING = frozenset(
    f"numpy.{name}"
    for name in (
        "asarray asanyarray ascontiguousarray asfortranarray ravel reshape transpose squeeze expand_dims "
        "atleast_1d atleast_2d atleast_3d broadcast_to split array_split hsplit vsplit dsplit moveaxis rollaxis "
        "swapaxes diagonal flip fliplr flipud rot90 real imag nan_to_num"
    ).split()
) | frozenset(
    "pandas.DataFrame pandas.Series pandas.Index functools.partial copy.copy collections.deque collections.OrderedDict "
    "collections.defaultdict collections.ChainMap collections.UserDict collections.UserList collections.Counter "
    "dataclasses.replace dataclasses.asdict typing.cast random.choice random.choices random.sample functools.reduce "
    "heapq.nlargest heapq.nsmallest heapq.merge operator.getitem operator.concat "
    "sklearn.pipeline.make_pipeline sklearn.compose.make_column_transformer operator.itemgetter".split()
)

#: What particular functions return.
RETURNS: dict[str, str] = {
    "sklearn.pipeline.make_pipeline": ESTIMATOR,
    "sklearn.pipeline.make_union": ESTIMATOR,
    "sklearn.compose.make_column_transformer": ESTIMATOR,
    "sklearn.base.clone": ESTIMATOR,
    "collections.deque": LIST,
    "collections.OrderedDict": DICT,
    "collections.defaultdict": DEFAULTS,
    "collections.Counter": DICT,
    "random.Random": RANDOM,
    "numpy.random.default_rng": RANDOM,
    "numpy.random.RandomState": RANDOM,
    "numpy.random.Generator": RANDOM,
    "matplotlib.pyplot.subplots": FIGURE,
    **dict.fromkeys("numpy.sum numpy.mean numpy.std numpy.var numpy.median".split(), NUMPY),
    **dict.fromkeys("random.random random.randint random.uniform random.gauss time.time".split(), SCALAR),
    **dict.fromkeys("csv.reader csv.DictReader itertools.count itertools.cycle itertools.chain".split(), ITERATOR),
    **dict.fromkeys("sqlite3.connect socket.socket urllib.request.urlopen".split(), RESOURCE),
    **{
        f"sklearn.metrics.{name}": SCALAR
        for name in (
            "accuracy_score f1_score precision_score recall_score roc_auc_score log_loss r2_score "
            "mean_squared_error mean_absolute_error balanced_accuracy_score matthews_corrcoef"
        ).split()
    },
}

#: Libraries whose classes (a capital in the last part of the path) follow scikit-learn's conventions.
ESTIMATOR_MODULES = frozenset("sklearn xgboost lightgbm catboost imblearn category_encoders hdbscan umap".split())

#: Methods that change their receiver, by type; `inplace=True` is looked for where calls are followed.
MUTATORS: dict[str, frozenset[str]] = {
    LIST: frozenset(
        "append extend insert remove pop clear sort reverse appendleft popleft extendleft rotate __setitem__".split()
    ),
    DICT: frozenset(
        "update pop popitem clear setdefault __setitem__ move_to_end subtract".split(),
    ),
    SET: frozenset(
        "add update remove discard pop clear intersection_update difference_update symmetric_difference_update".split()
    ),
    NUMPY: frozenset("sort fill resize put partition itemset setflags setfield __setitem__".split()),
    PANDAS: frozenset("insert pop update __setitem__".split()),
    ESTIMATOR: frozenset("fit partial_fit fit_transform fit_predict fit_resample set_params set_output".split()),
    DEFAULTS: frozenset("update pop popitem clear setdefault __setitem__ __getitem__".split()),
    ITERATOR: frozenset({"__next__", "send", "throw", "close"}),
    RANDOM: frozenset(
        "random randint randrange uniform gauss normalvariate choice choices sample shuffle seed setstate getrandbits "
        "integers normal standard_normal permutation permuted binomial poisson exponential beta gamma bytes rand randn "
        "random_sample multivariate_normal lognormal laplace set_state dirichlet multinomial spawn betavariate "
        "expovariate triangular random_integers ranf tomaxint standard_exponential logistic".split()
    ),
    FIGURE: frozenset(),
}

#: Those of the containers that everybody uses.
CONTAINER_MUTATORS = MUTATORS[LIST] | MUTATORS[DICT] | MUTATORS[SET]

#: Methods that leave receiver and arguments alone, by type.
PURE_METHODS: dict[str, frozenset[str]] = {
    LIST: frozenset("index count copy".split()),
    DICT: frozenset("get items keys values copy fromkeys most_common elements total".split()),
    DEFAULTS: frozenset("get items keys values copy fromkeys".split()),
    SET: frozenset(
        "union intersection difference symmetric_difference issubset issuperset isdisjoint copy".split(),
    ),
    TUPLE: frozenset("index count _asdict _replace".split()),
    NUMPY: frozenset(
        "all any argmax argmin argsort argpartition astype choose clip compress copy cumprod cumsum diagonal dot "
        "flatten item max mean min nonzero prod ptp ravel repeat reshape round searchsorted squeeze std sum swapaxes "
        "take tobytes tolist trace transpose var view conj tofile dump toarray todense tocsr tocsc".split()
    ),
    PANDAS: frozenset(
        "abs add agg aggregate align all any apply applymap asfreq asof assign astype at_time between bfill bool "
        "clip combine combine_first copy corr count cov cummax cummin cumprod cumsum describe diff div dot drop "
        "drop_duplicates dropna droplevel duplicated eq equals eval ewm expanding explode factorize ffill fillna "
        "filter first floordiv ge get get_group groupby gt head hist idxmax idxmin info interpolate isin isna "
        "isnull items iterrows itertuples join keys kurt last le lt map mask max mean median melt memory_usage "
        "merge min mod mode mul ne nlargest notna notnull nsmallest nunique pct_change pipe pivot pivot_table "
        "plot pow prod quantile query rank reindex rename rename_axis reorder_levels repeat replace resample "
        "reset_index rolling round sample sem set_axis set_index shift size skew sort_index sort_values squeeze "
        "stack std sub sum swaplevel tail take to_csv to_dict to_excel to_frame to_html to_json to_list "
        "to_markdown to_numpy to_parquet to_pickle to_records to_string tolist to_datetime to_period to_timestamp "
        "to_sql transform transpose truncate tz_convert tz_localize unique unstack value_counts values var where "
        "xs boxplot first_valid_index last_valid_index ravel argmax argmin argsort cat str dt get_loc "
        "get_level_values union intersection difference to_series isocalendar day_name month_name normalize "
        "strftime lower upper strip split contains extract len cumcount ngroup nth".split()
    ),
    ESTIMATOR: frozenset(
        "predict predict_proba predict_log_proba decision_function transform inverse_transform score score_samples "
        "get_params get_feature_names_out get_support kneighbors apply decision_path staged_predict get_booster "
        "evals_result get_metadata_routing get_depth get_n_leaves build_analyzer build_tokenizer".split()
    ),
    RANDOM: frozenset("getstate get_state".split()),
    ITERATOR: frozenset(),
}

#: Pure methods that hand out a view of, or objects inside, their receiver.
SHARING_METHODS = frozenset(
    "get items values view ravel reshape squeeze transpose swapaxes diagonal get_group set_axis groupby "
    "rolling expanding ewm resample iterrows itertuples xs setdefault pop popitem popleft __getitem__ pipe "
    "to_numpy".split()
)

#: Pure methods whose result has another type than their receiver.
METHOD_RETURNS: dict[tuple[str, str], str] = {
    (PANDAS, "to_numpy"): NUMPY,
    (PANDAS, "to_dict"): DICT,
    (PANDAS, "tolist"): LIST,
    (PANDAS, "to_list"): LIST,
    (PANDAS, "unique"): NUMPY,
    (PANDAS, "plot"): FIGURE,
    (PANDAS, "hist"): FIGURE,
    (NUMPY, "tolist"): LIST,
    (NUMPY, "item"): SCALAR,
    (NUMPY, "tobytes"): SCALAR,
    (DICT, "keys"): LIST,
    (DICT, "values"): LIST,
    (DICT, "items"): LIST,
    **{(kind, "copy"): kind for kind in (LIST, DICT, SET, NUMPY, PANDAS)},
    **{(ESTIMATOR, m): NUMPY for m in ("predict", "predict_proba", "decision_function", "transform", "fit_transform")},
    **{(ESTIMATOR, m): ESTIMATOR for m in ("fit", "partial_fit", "set_params")},
    (ESTIMATOR, "score"): SCALAR,
}

#: Types whose pure methods return the same type where METHOD_RETURNS is silent.
CLOSED = frozenset({NUMPY, PANDAS, FIGURE})

#: Types whose method calls leave their *arguments* alone, whatever the method.
KIND_TO_ARGUMENTS = frozenset({NUMPY, PANDAS, ESTIMATOR, SCALAR, FIGURE, RANDOM})

#: Methods that are pure on every type that has them, so that an unknown receiver is believed too.
COMMONLY_PURE = (
    frozenset().union(*PURE_METHODS.values())
    | frozenset(
        "capitalize casefold center encode decode endswith expandtabs find format format_map isalnum isalpha isdigit "
        "islower isspace istitle isupper join ljust lower lstrip partition removeprefix removesuffix rfind rindex "
        "rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill "
        "hexdigest digest isoformat total_seconds date time group groups groupdict span "
        "debug info warning error exception critical isEnabledFor getEffectiveLevel".split()  # of a logger
    )
) - frozenset().union(*MUTATORS.values(), {"eval"})  # a model of torch is set to another mode by `eval()`

#: Attributes that are of another type than their owner.
ATTRIBUTES: dict[tuple[str, str], str] = {
    **{(PANDAS, a): SCALAR for a in ("shape", "size", "ndim", "empty", "dtype", "name")},
    **{(NUMPY, a): SCALAR for a in ("shape", "size", "ndim", "dtype", "nbytes", "itemsize")},
    (PANDAS, "values"): NUMPY,
    (NUMPY, "T"): NUMPY,
    **{(PANDAS, a): PANDAS for a in ("loc", "iloc", "at", "iat", "T", "columns", "index", "str", "dt", "cat")},
}

#: Functions that make a class or type which pickle finds by the name that it is assigned to.
DEFINING = frozenset(
    "collections.namedtuple typing.NamedTuple typing.TypedDict typing.TypeVar typing.NewType typing.ParamSpec "
    "dataclasses.make_dataclass enum.Enum enum.IntEnum enum.Flag enum.StrEnum".split()
)

#: Modules (and single paths) whose decorators only give something back. One of another library may register what it
#: decorates there (`pandas.api.extensions.register_dataframe_accessor`, `atexit.register`): that runs in every step.
QUIET_DECORATORS = frozenset(
    "dataclasses functools contextlib abc typing typing_extensions enum types warnings.deprecated numba cython torch "
    "torchvision jax equinox flax.linen.compact flax.struct tensorflow.function tensorflow.custom_gradient "
    "tensorflow.autograph joblib tenacity retry retrying backoff decorator wrapt toolz cachetools attr attrs pydantic "
    "beartype typeguard jaxtyping typechecked asyncio unittest pytest hypothesis numpy.vectorize tqdm deprecated "
    "overrides streamlit.cache streamlit.cache_data streamlit.cache_resource ray.remote dask.delayed "
    "memory_profiler.profile line_profiler.profile timeit sklearn.utils pyspark.sql.functions.udf "
    "pyspark.sql.functions.pandas_udf kfp.dsl prefect.task prefect.flow mlflow.trace property staticmethod classmethod "
    "marshmallow django.utils.functional celery.shared_task gpytorch pymc nest_asyncio".split()
)


def may_register(path: str) -> bool:
    """Whether a decorator of a library may put what it decorates somewhere in that library."""
    parts = path.split(".")
    return len(parts) > 1 and not any(".".join(parts[:n]) in QUIET_DECORATORS for n in range(1, len(parts) + 1))
