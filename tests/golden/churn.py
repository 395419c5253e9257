"""Kubeflow pipeline churn, rendered by kalecompiler 0.0.0.

The notebook is the source: edit that and render again. Running this file, or `kfp dsl compile --py`, makes the package.
"""

from typing import Optional

from kfp import compiler, dsl
from kfp import kubernetes as _kubernetes

# What a step's container runs. It needs Python and nothing else, and speaks the same contract as KFP's own executor.
_PROGRAM_DISPLAY = (
    '# This speaks the contract of kfp.dsl.executor_main.\n'
    'import sys\n'
    '\n'
    "sys.exit('a stand-in')\n"
)
_PROGRAM_DISPLAY_SHELL = (
    '# This speaks the contract of kfp.dsl.executor_main.\n'
    'import sys\n'
    '\n'
    "sys.exit('a stand-in')\n"
)


def _container(image, program, step):
    """The container of a step: the program is handed the step as JSON, and beside it what KFP tells the task."""
    return dsl.ContainerSpec(
        image=image,
        command=["python3", "-u", "-c", program],
        args=[step, dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER],
    )


@dsl.container_component
def train_model(
    df: dsl.Input[dsl.Dataset],
    extra_1: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    lr: float,
):
    return _container(image='python:3.11', program=_PROGRAM_DISPLAY_SHELL, step=r'''{
 "format": 1,
 "step": "train_model",
 "notebook": "churn.ipynb",
 "parts": [
  "display",
  "shell"
 ],
 "parameters": {
  "lr": {
   "type": "float",
   "default": 0.1
  }
 },
 "inputs": [
  {
   "variable": "df",
   "port": "df",
   "from": "load",
   "early": false
  },
  {
   "variable": "extra",
   "port": "extra_1",
   "from": "load",
   "early": true
  }
 ],
 "outputs": [
  {
   "variable": "model",
   "port": "model",
   "for": [
    "import"
   ],
   "absent": false,
   "cell": "churn.ipynb train_model[2]"
  }
 ],
 "metrics": {
  "port": "metrics",
  "values": [
   {
    "name": "accuracy",
    "variable": "accuracy"
   }
  ]
 },
 "guards": [
  "df"
 ],
 "files": {
  "helpers.py": [
   "def f():",
   "    \"\"\"Größe: \ud83d\ude00.\"\"\"",
   ""
  ]
 },
 "code": [
  {
   "name": "churn.ipynb train_model[2]",
   "kind": "cell",
   "id": "id-2",
   "source": [
    "get_ipython().system('pytho\u006e3 --version')",
    "model, accuracy = lr, 0.5"
   ]
  }
 ]
}''')


@dsl.container_component
def load(
    df: dsl.Output[dsl.Dataset],
    extra: dsl.Output[dsl.Artifact],
    path: str,
    seed: Optional[int] = None,
):
    return _container(image='python:3.12', program=_PROGRAM_DISPLAY, step=r'''{
 "format": 1,
 "step": "load",
 "notebook": "churn.ipynb",
 "parts": [
  "display"
 ],
 "parameters": {
  "path": {
   "type": "str",
   "default": "it's\n\"\u007b\u007bhere\u007d\u007d\" \\ größe"
  },
  "seed": {
   "type": "int",
   "default": null
  }
 },
 "outputs": [
  {
   "variable": "df",
   "port": "df",
   "for": [
    "train_model"
   ],
   "absent": false,
   "cell": "churn.ipynb load[1]"
  },
  {
   "variable": "extra",
   "port": "extra",
   "for": [
    "train_model"
   ],
   "absent": true
  }
 ],
 "packages": [
  {
   "requirement": "pandas==2.2",
   "module": "pandas"
  }
 ],
 "pip": {
  "index_url": "https://pypi.example.org/simple",
  "trusted_hosts": [
   "pypi.example.org"
  ]
 },
 "code": [
  {
   "name": "churn.ipynb load[9]",
   "kind": "imports",
   "id": "id-9",
   "source": [
    "import pandas as pd"
   ]
  },
  {
   "name": "churn.ipynb load[1]",
   "kind": "cell",
   "id": "id-1",
   "source": [
    "df = pd.read_csv(path)",
    "if seed:",
    "    extra = '\u007b\u007bseed\u007d\u007d'"
   ]
  }
 ]
}''')


@dsl.container_component
def import_(model: dsl.Input[dsl.Model]):
    return _container(image='python:3.11', program=_PROGRAM_DISPLAY, step=r'''{
 "format": 1,
 "step": "import",
 "notebook": "churn.ipynb",
 "parts": [
  "display"
 ],
 "inputs": [
  {
   "variable": "model",
   "port": "model",
   "from": "train_model",
   "early": false
  }
 ],
 "code": [
  {
   "name": "churn.ipynb import[3]",
   "kind": "cell",
   "id": "id-3",
   "source": [
    "print(model)"
   ]
  }
 ]
}''')


@dsl.container_component
def check():
    return _container(image='python:3.11', program=_PROGRAM_DISPLAY, step=r'''{
 "format": 1,
 "step": "check",
 "notebook": "churn.ipynb",
 "parts": [
  "display"
 ],
 "code": [
  {
   "name": "churn.ipynb check[4]",
   "kind": "cell",
   "id": "id-4",
   "source": [
    "print('ok')"
   ]
  }
 ]
}''')


@dsl.pipeline(name='churn', description='Who leaves?\n\nAnd why.')
def pipeline(lr: float = 0.1, path: str = 'it\'s\n"{{here}}" \\ größe', seed: Optional[int] = None):
    load_task = load(path=path, seed=seed)
    load_task.set_caching_options(enable_caching=False)
    check_task = check()
    check_task.set_caching_options(enable_caching=True)
    train_model_task = train_model(df=load_task.outputs['df'], extra_1=load_task.outputs['extra'], lr=lr)
    train_model_task.after(check_task)
    train_model_task.set_display_name('train_model')
    train_model_task.set_caching_options(enable_caching=True)
    train_model_task.set_cpu_request('500m')
    train_model_task.set_memory_request('512M')
    train_model_task.set_cpu_limit('2')
    train_model_task.set_memory_limit('4Gi')
    train_model_task.set_accelerator_type('nvidia.com/gpu')
    train_model_task.set_accelerator_limit('1')
    _kubernetes.add_pod_label(train_model_task, label_key='team', label_value='y')
    _kubernetes.add_pod_label(train_model_task, label_key='sha', label_value='12e3')
    _kubernetes.add_pod_annotation(train_model_task, annotation_key='example.org/why', annotation_value='two\nlines: {{x}}')
    import_task = import_(model=train_model_task.outputs['model'])
    import_task.set_caching_options(enable_caching=True)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, package_path='churn.yaml')
