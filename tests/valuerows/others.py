# ruff: noqa: E501 - cells as people write them
"""Other libraries' values, of those that are installed."""

from valuetable import Row

IMPORTS = """import collections
import io"""

PA, PL, PIL, TORCH, SM, NX = "pyarrow", "polars", "PIL numpy", "torch", "statsmodels pandas", "networkx"

ARROW = (
    Row(
        "an arrow array",
        "__import__('pyarrow').array([1, None, 3])",
        "it.equals(twin) and it.type == twin.type",
        needs=PA,
        loose=True,
    ),
    Row(
        "a part of an arrow array",
        "__import__('pyarrow').array(['a', None, 'c', 'd'])[1:3]",
        "it.to_pylist() == [None, 'c']",
        needs=PA,
        loose=True,
    ),
    Row(
        "an arrow table",
        "__import__('pyarrow').table({'a': [1, 2], 's': ['x', None]}, metadata={'k': 'v'})",
        "it.equals(twin, check_metadata=True) and it.schema.metadata == {b'k': b'v'}",
        needs=PA,
        loose=True,
    ),
    Row(
        "an arrow table in pieces",
        "__import__('pyarrow').concat_tables([__import__('pyarrow').table({'a': [1]})] * 2)",
        "it.equals(twin) and it['a'].num_chunks == twin['a'].num_chunks",
        needs=PA,
        loose=True,
    ),
    Row(
        "a large arrow table",
        "__import__('pyarrow').table({'a': list(range(200_000))})",
        "it.equals(twin)",
        needs=PA,
        loose=True,
    ),
    Row(
        "an arrow dictionary",
        "__import__('pyarrow').array(['a', 'b', 'a']).dictionary_encode()",
        "it.equals(twin) and it.type == twin.type",
        needs=PA,
        loose=True,
    ),
    Row(
        "an arrow batch",
        "__import__('pyarrow').record_batch({'a': [[1], None]})",
        "it.equals(twin)",
        needs=PA,
        loose=True,
    ),
    Row(
        "an arrow schema",
        "__import__('pyarrow').schema([('a', 'int8'), ('t', __import__('pyarrow').timestamp('us', 'UTC'))], metadata={'k': 'v'})",
        "it.equals(twin, check_metadata=True)",
        needs=PA,
        loose=True,
    ),
    Row("an arrow scalar", "__import__('pyarrow').scalar(5, 'int8')", "it.equals(twin)", needs=PA, loose=True),
    Row(
        "an arrow buffer", "__import__('pyarrow').py_buffer(b'abc')", "it.to_pybytes() == b'abc'", needs=PA, loose=True
    ),
)

POLARS = (
    Row(
        "a polars frame",
        "__import__('polars').DataFrame({'a': [1, None], 's': ['x', 'y'], 'l': [[1], []]})",
        "it.equals(twin) and it.schema == twin.schema",
        needs=PL,
        loose=True,
    ),
    Row(
        "a polars frame of categories",
        "V = __import__('polars')\nV = V.DataFrame({'c': V.Series(['a', 'b'], dtype=V.Enum(['b', 'a']))})",
        "it.equals(twin) and it.schema == twin.schema",
        needs=PL,
        loose=True,
    ),
    Row(
        "a large polars frame",
        "__import__('polars').DataFrame({'a': list(range(200_000))})",
        "it.equals(twin)",
        needs=PL,
        loose=True,
    ),
    Row(
        "a polars series",
        "__import__('polars').Series('s', [1.5, None])",
        "it.equals(twin, check_names=True) and it.dtype == twin.dtype",
        needs=PL,
        loose=True,
    ),
    Row(
        "a lazy polars frame",
        "__import__('polars').LazyFrame({'a': [1, 2]}).filter(__import__('polars').col('a') > 1)",
        "it.collect().equals(twin.collect())",
        needs=PL,
        loose=True,
    ),
    Row("a polars expression", "__import__('polars').col('a').sum()", "it.meta.eq(twin)", needs=PL, loose=True),
)

PICTURES = (
    *(
        Row(
            f"an image of {mode}",
            f"__import__('PIL.Image').Image.new('{mode}', (3, 2), 1)",
            "it.tobytes() == twin.tobytes() and (it.mode, it.size) == (twin.mode, twin.size) and it.getpalette() == twin.getpalette()",
            needs=PIL,
            loose=True,
        )
        for mode in ("1", "L", "P", "RGB", "RGBA", "I", "F")
    ),
    Row(
        "an image as it was read",
        "V = io.BytesIO()\n__import__('PIL.Image').Image.new('RGB', (2, 2)).save(V, 'PNG')\nV = __import__('PIL.Image').Image.open(V)",
        "it.tobytes() == twin.tobytes() and it.format == 'PNG'",
        needs=PIL,
        loose=True,
    ),
    Row(
        "images in a list",
        "[__import__('PIL.Image').Image.new('L', (1, 1), n) for n in range(3)]",
        "[i.getpixel((0, 0)) for i in it] == [0, 1, 2]",
        needs=PIL,
        loose=True,
    ),
)

NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.register_buffer("seen", torch.zeros(1))
        self.calls = [0]

    def forward(self, x):
        return self.layer(x)
"""

TORCH_ROWS = (
    *(
        Row(
            f"a tensor of {kind}",
            f"__import__('torch').arange(6).reshape(2, 3).to(__import__('torch').{kind})",
            "it.equal(twin) and it.dtype == twin.dtype and type(it) is type(twin)",
            needs=TORCH,
            loose=True,
        )
        for kind in ("float32", "float64", "float16", "bfloat16", "int8", "int64", "bool", "complex64")
    ),
    Row(
        "a large tensor",
        "__import__('torch').arange(300_000.0)",
        "it.equal(twin) and it.add_(1) is it",
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a tensor without dimensions",
        "__import__('torch').tensor(5)",
        "it.shape == () and it.item() == 5",
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a part of a tensor",
        "__import__('torch').arange(6.0).reshape(2, 3).t()[1:]",
        "it.equal(twin) and it.stride() == twin.stride()",
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a tensor with a gradient",
        "V = __import__('torch').ones(2, requires_grad=True)\nV.sum().backward()",
        "it.requires_grad and it.grad.tolist() == [1, 1]",
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a parameter",
        "__import__('torch').nn.Parameter(__import__('torch').ones(2), requires_grad=False)",
        "type(it) is type(twin) and not it.requires_grad",
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a sparse tensor",
        "__import__('torch').eye(3).to_sparse()",
        "it.to_dense().equal(twin.to_dense()) and it.is_sparse",
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a tensor and a view of it",
        "V = [__import__('torch').zeros(4)]\nV.append(V[0][:2])",
        "it[1].fill_(7) is it[1] and it[0].tolist() == [7, 7, 0, 0]",
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a module of the notebook",
        "V = Net()\nV.eval()",
        "type(it) is Net and not it.training and it.calls == [0] and list(it.state_dict()) == list(twin.state_dict())",
        define=NET,
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a module in training",
        "__import__('torch').nn.Sequential(__import__('torch').nn.Linear(2, 2), __import__('torch').nn.Dropout())",
        "it.training and it[1].p == 0.5",
        needs=TORCH,
        loose=True,
    ),
    Row(
        "states of a module",
        "__import__('torch').nn.Linear(2, 1).state_dict()",
        "type(it) is collections.OrderedDict and list(it) == ['weight', 'bias']",
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a model and its optimiser",
        "V = [Net()]\nV.append(torch.optim.Adam(V[0].parameters(), lr=0.5))",
        "it[1].param_groups[0]['params'][0] is next(it[0].parameters()) and it[1].param_groups[0]['lr'] == 0.5",
        define=NET,
        needs=TORCH,
        loose=True,
    ),
    Row(
        "a generator of torch",
        "__import__('torch').Generator().manual_seed(5)",
        needs=TORCH,
        refused="which cannot be saved",
    ),
)

MODELS = (
    Row(
        "an estimate of statsmodels",
        "V = __import__('statsmodels.api').api\nV = V.OLS([1.0, 2.0, 3.5, 4.0], V.add_constant([1.0, 2, 3, 4])).fit()",
        "it.params.tolist() == twin.params.tolist() and it.rsquared == twin.rsquared",
        needs=SM,
        loose=True,
    ),
    Row(
        "a graph",
        "__import__('networkx').path_graph(3)",
        "set(it.edges) == {(0, 1), (1, 2)} and type(it) is type(twin)",
        needs=NX,
        loose=True,
    ),
    Row(
        "a session of requests",
        "__import__('requests').Session()",
        "it.headers == twin.headers",
        needs="requests",
        loose=True,
    ),
)

ROWS = (*ARROW, *POLARS, *PICTURES, *TORCH_ROWS, *MODELS)
