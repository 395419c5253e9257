"""What the standard library has."""

from valuetable import Row

IMPORTS = """import argparse
import array
import asyncio
import collections
import configparser
import contextvars
import csv
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import http.cookies
import io
import ipaddress
import itertools
import json
import logging
import mmap
import os
import pathlib
import queue
import random
import re
import select
import socket
import sqlite3
import ssl
import string
import subprocess
import tempfile
import textwrap
import threading
import time
import types
import typing
import urllib.parse
import uuid
import weakref
import xml.etree.ElementTree
import zoneinfo"""

LOCK = "create it in the step that uses it"

ROWS = (
    Row("OrderedDict", "collections.OrderedDict(z=1, a=[2])", "list(it) == ['z', 'a']"),
    Row("defaultdict of lists", "collections.defaultdict(list, a=[1])", "it['new'] == []"),
    Row("defaultdict with a lambda", "collections.defaultdict(lambda: [7], a=1)", "it['new'] == [7]"),
    Row(
        "defaultdict of defaultdicts",
        "V = collections.defaultdict(lambda: collections.defaultdict(int))\nV['a']['b'] += 1",
        "it['x']['y'] == 0 and it['a']['b'] == 1",
    ),
    Row("Counter", "collections.Counter('hello')", "it.most_common(1) == [('l', 2)]"),
    Row("deque with a limit", "collections.deque([1, 2, 3], maxlen=2)", "it.maxlen == 2"),
    Row("ChainMap", "collections.ChainMap({'a': 1}, {'b': [2]})", "it.maps == twin.maps", loose=True),
    Row(
        "a view of a mapping",
        "types.MappingProxyType({'a': 1})",
        "dict(it) == {'a': 1} and type(it) is type(twin)",
        loose=True,
    ),
    Row("keys of a dict", "{'a': 1, 'b': 2}.keys()", "list(it) == ['a', 'b'] and type(it) is type(twin)", loose=True),
    Row("UserDict", "collections.UserDict(a=[1])", "it.data == {'a': [1]}"),
    Row("Decimal", "decimal.Decimal('1.10')", "str(it) == '1.10'"),
    Row(
        "Decimals that are none",
        "[decimal.Decimal('-0'), decimal.Decimal('sNaN'), decimal.Decimal('-Infinity')]",
        "[str(x) for x in it] == ['-0', 'sNaN', '-Infinity']",
        loose=True,
    ),
    Row(
        "a context of Decimals",
        "decimal.Context(prec=5, rounding=decimal.ROUND_UP)",
        "it.prec == 5 and it.rounding == 'ROUND_UP' and str(it) == str(twin)",
        loose=True,
    ),
    Row("Fraction", "fractions.Fraction(-1, 3)"),
    Row("Path", "pathlib.Path('data') / 'x.csv'"),
    Row("PurePosixPath", "pathlib.PurePosixPath('/a/../b')"),
    Row("PureWindowsPath", "pathlib.PureWindowsPath('c:\\\\a')"),
    Row("UUID", "uuid.UUID(int=2**100, is_safe=uuid.SafeUUID.unsafe)", "it.is_safe is uuid.SafeUUID.unsafe"),
    Row("datetime", "datetime.datetime(2024, 2, 29, 1, 2, 3, 4)"),
    Row(
        "datetime in a zone",
        "datetime.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))",
        "it.fold == 1 and it.tzinfo.key == 'Europe/Berlin' and it.utcoffset() == twin.utcoffset()",
    ),
    Row(
        "datetime with an offset",
        "datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=5.5), 'IST'))",
        "it.tzname() == 'IST'",
    ),
    Row("the zone of time", "datetime.timezone.utc", "it is datetime.timezone.utc"),
    Row("a zone", "zoneinfo.ZoneInfo('America/New_York')", "it is twin", needs=""),
    Row("date", "datetime.date(9999, 12, 31)"),
    Row("time", "datetime.time(23, 59, 59, 999999, fold=1)", "it.fold == 1"),
    Row("timedelta", "datetime.timedelta(-1, microseconds=1)"),
    Row("struct_time", "time.gmtime(0)", "it.tm_zone == twin.tm_zone"),
    Row(
        "Pattern",
        "re.compile(r'(?P<a>\\w)+', re.IGNORECASE | re.DOTALL)",
        "it.flags == twin.flags and it.groupindex == twin.groupindex",
        loose=True,
    ),
    Row("Pattern of bytes", "re.compile(b'a')", "it == twin", loose=True),
    Row("array.array", "array.array('H', [1, 65535])", "it.typecode == 'H'"),
    Row("a large array.array", "array.array('d', range(300_000))", "it == twin and it.typecode == 'd'", loose=True),
    Row(
        "BytesIO in the middle",
        "V = io.BytesIO(b'abcdef')\nV.seek(2)",
        "it.tell() == 2 and it.read() == b'cdef'",
        loose=True,
    ),
    Row(
        "StringIO in the middle",
        "V = io.StringIO('a\\nbc', newline='')\nV.read(2)",
        "it.tell() == 2 and it.read() == 'bc'",
        loose=True,
    ),
    Row("Namespace of arguments", "argparse.Namespace(lr=0.1, layers=[1, 2])"),
    Row("Template", "string.Template('$a and ${b}')", "it.substitute(a=1, b=2) == '1 and 2'"),
    Row("Logger", "logging.getLogger('a.b')", "it is twin"),
    Row("a Logger inside", "{'log': logging.getLogger(__name__)}", "it['log'] is logging.getLogger('__main__')"),
    Row("a LogRecord", "logging.makeLogRecord({'msg': 'x', 'levelno': 10})", "it.getMessage() == 'x'", loose=True),
    Row("a Formatter", "logging.Formatter('%(message)s')", "it._fmt == '%(message)s'", loose=True),
    Row(
        "ConfigParser",
        "V = configparser.ConfigParser()\nV.read_string('[a]\\nb = 1\\n')",
        "it['a']['b'] == '1'",
        loose=True,
    ),
    Row("addresses", "[ipaddress.ip_address('::1'), ipaddress.ip_network('10.0.0.0/8')]"),
    Row("a parsed URL", "urllib.parse.urlparse('https://user@example.org:80/a?b#c')", "it.port == 80"),
    Row(
        "an element of XML",
        "xml.etree.ElementTree.fromstring('<a b=\"1\"><c>t</c></a>')",
        "xml.etree.ElementTree.tostring(it) == xml.etree.ElementTree.tostring(twin)",
        loose=True,
    ),
    Row("Random", "V = random.Random(5)\nV.random()", "it.random() == twin.random()"),
    Row("the state of random", "random.Random(3).getstate()"),
    Row("itertools.count", "V = itertools.count(5, 2)\nnext(V)", "next(it) == 7", loose=True),
    Row("itertools.chain", "V = itertools.chain([1, 2], [3])\nnext(V)", "list(it) == [2, 3]", loose=True),
    Row("itertools.islice", "itertools.islice([1, 2, 3], 2)", "list(it) == [1, 2]", loose=True),
    Row("a result of os.stat", "os.stat('/')[:3]"),
    Row(
        "typing",
        "[typing.Optional[int], typing.Any, typing.Callable[[int], str], typing.Union[int, str]]",
        "it == twin",
        loose=True,
    ),
    Row("Signature", "__import__('inspect').signature(lambda a, *, b=1: 0)", "str(it) == '(a, *, b=1)'", loose=True),
    Row(
        "CompletedProcess",
        "subprocess.run(['true'], capture_output=True)",
        "it.returncode == 0 and it.args == ['true']",
        loose=True,
    ),
    Row("a Dialect of csv", "csv.excel_tab", "it is csv.excel_tab"),
    Row("an error of json", "json.JSONDecodeError('bad', 'doc', 2)", "it.pos == 2 and it.doc == 'doc'"),
    Row("a TextWrapper", "textwrap.TextWrapper(width=10)", "it.fill('a' * 12) == twin.fill('a' * 12)", loose=True),
    Row("a method of an object", "V = collections.Counter('aab').most_common", "it(1) == [('a', 2)]", loose=True),
    Row("a cookie", "V = http.cookies.SimpleCookie()\nV['a'] = 'b'", "it['a'].value == 'b'", loose=True),
    # -- refused
    Row("a lock", "threading.Lock()", refused="create it in the step that uses it"),
    Row("a lock inside", "{'a': [threading.RLock()]}", refused="v0['a'][0] is a _thread.RLock"),
    Row("a condition", "threading.Condition()", refused="create it in the step that uses it"),
    Row("a thread", "threading.Thread()", refused="create it in the step that uses it"),
    Row("thread-local data", "threading.local()", refused="create it in the step that uses it"),
    Row("a queue", "queue.Queue()", refused="create it in the step that uses it"),
    Row("a weak reference", "V = types.SimpleNamespace(a=weakref.ref(collections.Counter))", refused="v0.a is a "),
    Row("a socket", "socket.socket()", refused="v0 is a socket.socket, which cannot be saved"),
    Row("an SSL context", "ssl.create_default_context()", refused="v0 is a ssl.SSLContext, which cannot be saved"),
    Row(
        "a connection to a database", "{'db': sqlite3.connect(':memory:')}", refused="v0['db'] is a sqlite3.Connection"
    ),
    Row("a cursor of a database", "sqlite3.connect(':memory:').cursor()", refused="connect in each step that uses it"),
    Row("an open file", "open('/dev/null')", refused="hand on the path or the content"),
    Row("a file open for bytes", "[open('/dev/null', 'rb')]", refused="v0[0] is a _io.BufferedReader"),
    Row("a file open for writing", "open('/dev/null', 'w')", refused="hand on the path or the content"),
    Row("a temporary file", "tempfile.TemporaryFile()", refused="hand on the path or the content"),
    Row("a mapped file", "mmap.mmap(-1, 10)", refused="hand on the path or the content"),
    Row("a digest under way", "hashlib.sha256(b'a')", refused="which cannot be saved"),
    Row("a process", "subprocess.Popen(['true'])", refused="which cannot be saved"),
    Row("a reader of csv", "csv.reader(['a,b'])", refused="which cannot be saved"),
    Row("a context variable", "contextvars.ContextVar('x')", refused="which cannot be saved"),
    Row(
        "a zone from a file",
        "zoneinfo.ZoneInfo.from_file(open(next(p for p in [os.path.join(d, 'UTC') for d in zoneinfo.TZPATH]"
        " if os.path.exists(p)), 'rb'))",
        refused="v0 is a zoneinfo.ZoneInfo, which cannot be saved",
    ),
    Row("a TextWrapper of a file", "io.TextIOWrapper(io.BytesIO(b'a'))", refused="hand on the path or the content"),
)
