"""Calls that leave something behind outside every variable. Data, not code; from the libraries' documentation."""

from __future__ import annotations

#: Functions (and objects, whose mutators count) that change state of the whole process.
STATE_CALLS = frozenset(
    "os.chdir os.putenv os.unsetenv os.environ sys.path sys.setrecursionlimit numpy.set_printoptions numpy.seterr "
    "pandas.set_option pandas.reset_option warnings.filterwarnings warnings.simplefilter matplotlib.use "
    "matplotlib.style.use matplotlib.rc matplotlib.rcParams matplotlib.pyplot.style.use matplotlib.pyplot.rc "
    "matplotlib.pyplot.rcParams matplotlib.pyplot.switch_backend seaborn.set seaborn.set_theme seaborn.set_style "
    "seaborn.set_context seaborn.set_palette locale.setlocale decimal.setcontext "
    "torch.set_default_dtype torch.set_num_threads torch.set_grad_enabled torch.use_deterministic_algorithms "
    "sklearn.set_config socket.setdefaulttimeout os.umask time.tzset pandas.set_eng_float_format numpy.seterrcall "
    "numpy.setbufsize warnings.resetwarnings matplotlib.rcdefaults matplotlib.rc_file matplotlib.pyplot.rcdefaults "
    "matplotlib.pyplot.set_cmap seaborn.reset_defaults torch.set_default_device torch.set_default_tensor_type "
    "torch.set_printoptions torch.set_float32_matmul_precision torch.autograd.set_detect_anomaly "
    "sklearn.set_output mlflow.set_tracking_uri mlflow.set_experiment mlflow.autolog csv.register_dialect "
    "csv.field_size_limit jax.config.update xarray.set_options sqlite3.register_adapter "
    "sqlite3.register_converter site.addsitedir dotenv.load_dotenv signal.signal signal.alarm signal.setitimer "
    "gc.disable gc.enable gc.set_threshold sys.settrace sys.setprofile sys.setswitchinterval tracemalloc.start "
    "tracemalloc.stop faulthandler.enable multiprocessing.set_start_method asyncio.set_event_loop "
    "asyncio.set_event_loop_policy mimetypes.add_type codecs.register codecs.register_error copyreg.pickle".split()
)

#: Methods of such objects that change them.
STATE_METHODS = frozenset(
    "update setdefault pop popitem clear append insert extend remove reverse sort __setitem__ __delitem__".split()
)

#: Modules whose state matters only to steps that name them.
ONLY_WHERE_NAMED = frozenset(
    "warnings sys matplotlib seaborn plotly IPython mlflow csv sqlite3 socket signal gc tracemalloc faulthandler "
    "multiprocessing asyncio mimetypes codecs copyreg".split()
)

#: Context managers that put back what is changed below them, by the key of the state.
RESTORED: dict[str, str] = {
    "warnings.catch_warnings": "warnings",
    "numpy.errstate": "numpy",
    "numpy.printoptions": "numpy",
    "decimal.localcontext": "decimal",
    "matplotlib.rc_context": "matplotlib",
    "matplotlib.pyplot.rc_context": "matplotlib",
    "matplotlib.style.context": "matplotlib",
    "matplotlib.pyplot.style.context": "matplotlib",
    "sklearn.config_context": "sklearn",
    "contextlib.chdir": "folder",
}

#: Calls whose child processes, or whose text, look at all environment variables.
ENVIRONMENT_READS = ("subprocess", "os.system", "os.popen", "os.path.expandvars", "os.path.expanduser", "os.exec")

#: What configures a logger: methods and attributes that are assigned.
LOGGER_METHODS = frozenset("setLevel addHandler removeHandler addFilter removeFilter".split())
LOGGER_ATTRIBUTES = frozenset("propagate disabled level handlers filters".split())

#: Functions of `logging` that configure all loggers, and those that log to the root or look at it.
LOGGING_SETUP = frozenset(
    "basicConfig disable addLevelName setLoggerClass setLogRecordFactory captureWarnings config.dictConfig "
    "config.fileConfig".split()
)
LOGGING_USES = frozenset("debug info warning warn error exception critical fatal log".split())

#: Functions that write a file: the position of its path.
FILE_WRITES: dict[str, int] = {
    "numpy.save": 0,
    "numpy.savez": 0,
    "numpy.savez_compressed": 0,
    "numpy.savetxt": 0,
    "joblib.dump": 1,
    "torch.save": 1,
    "shutil.copy": 1,
    "shutil.copyfile": 1,
    "shutil.move": 1,
    "os.rename": 1,
    "os.mkdir": 0,
    "os.makedirs": 0,
}

#: Functions that read a file: the position of its path.
FILE_READS: dict[str, int] = {
    **{f"pandas.read_{kind}": 0 for kind in "csv table json excel parquet pickle feather hdf orc fwf xml".split()},
    "numpy.load": 0,
    "numpy.loadtxt": 0,
    "numpy.genfromtxt": 0,
    "joblib.load": 0,
    "torch.load": 0,
    "os.listdir": 0,
    "os.remove": 0,
    "os.path.exists": 0,
    "os.path.getsize": 0,
    "shutil.copy": 0,
}

#: Methods that write a file: `to_...` take its path, the others are of a path.
WRITE_METHODS = frozenset(
    "to_csv to_json to_excel to_parquet to_pickle to_feather to_hdf to_orc write_text write_bytes".split()
)

#: Methods of a path that read its file.
READ_METHODS = frozenset("read_text read_bytes exists is_file unlink stat".split())
