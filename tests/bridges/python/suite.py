"""The Python application of the tests: paths that look at the contract, Flask at /shop and /flask, Django elsewhere."""

import io
import json
import os
import signal
import sys
import threading
import time
import warnings
from wsgiref.validate import validator

warnings.simplefilter("ignore")

events = []  # what /events shows
gates = {}  # events of /stream, by name
folder = os.environ["SUITE_FOLDER"]


def gate(environ):
    return gates.setdefault(environ["QUERY_STRING"], threading.Event())


def text(start_response, body, status="200 OK", headers=()):
    body = body if isinstance(body, bytes) else body.encode("utf-8")
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *headers])
    return [body]


class Closing:
    """An iterable without len() and with close(), such as werkzeug's."""

    def __init__(self, blocks, close):
        self.blocks = iter(blocks)
        self.close = close

    def __iter__(self):
        return self.blocks


def facts(environ, start_response):
    keep = {key: value for key, value in environ.items() if isinstance(value, (str, bool)) or key == "wsgi.version"}
    return text(start_response, json.dumps({**keep, "pid": os.getpid(), "main": threading.current_thread() is threading.main_thread()}))


def read_all(environ, start_response):
    source = environ["wsgi.input"]
    seen = [
        source.read(3),
        source.readline(),
        source.readline(4),
        source.peek(1)[:1],
        source.read1(2),
        source.readlines(1),
        next(iter(source)),
    ]
    target = bytearray(3)
    seen.append(bytes(target[: source.readinto(target)]))
    rest = source.read()
    return text(start_response, json.dumps([str(seen), len(rest), str(source.read()), str(source.readline()), source.readable()]))


def halves(environ, start_response):
    """Sends a line for each half of the body, when it has it."""
    size = int(environ["CONTENT_LENGTH"]) // 2
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(2):
        try:
            yield b"%d\n" % len(environ["wsgi.input"].read(size))
        except OSError as error:
            environ["wsgi.errors"].write("cut: %s\n" % type(error).__name__)
            raise


def count(environ, start_response):
    size = 0
    while True:
        block = environ["wsgi.input"].read(100000)
        if not block:
            return text(start_response, str(size))
        size += len(block)


def identity(environ, start_response):
    mine = environ["QUERY_STRING"]
    time.sleep(int(mine) % 7 / 1000)
    blocks = [("%s:%s\n" % (mine, i)).encode() * 50 for i in range(int(mine) % 5 + 1)]
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Id", mine)])
    return Closing(blocks, lambda: time.sleep(int(mine) % 3 / 1000))


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first\n"
    yield b""
    gate(environ).wait(10)
    yield b"second\n"


def release(environ, start_response):
    gate(environ).set()
    return text(start_response, "released")


def endless(environ, start_response):
    name = environ["QUERY_STRING"]
    start_response("200 OK", [("Content-Type", "text/plain")])

    def blocks():
        while True:
            yield b"x" * 1000
            time.sleep(0.002)

    return Closing(blocks(), lambda: events.append("closed " + name))


def after_length(environ, start_response):
    name = environ["QUERY_STRING"]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    yield b"all\n"
    gate(environ).wait(10)
    yield b""
    events.append("finished " + name)


def slow_close(environ, start_response):
    def close():
        time.sleep(1)
        events.append("slow close")

    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return Closing([b"quick"], close)


def big(environ, start_response):
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(size))])
    block = bytes(range(256)) * 256
    for at in range(0, size, len(block)):
        yield block[: size - at]


def write(environ, start_response):
    send = start_response("200 OK", [("Content-Type", "text/plain")])
    send(b"one ")
    send(b"two ")
    return [b"three"]


def replaced(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    try:
        raise ValueError("changed my mind")
    except ValueError:
        start_response("418 Teapot", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"teapot"]


def too_late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun"
    gate(environ).wait(10)
    try:
        raise ValueError("too late")
    except ValueError:
        start_response("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())
    yield b"never"


def errors(environ, start_response):
    stream = environ["wsgi.errors"]
    stream.write("half ")
    stream.write("line: \u20ac\n")
    stream.writelines(["a\n", "b"])
    stream.flush()
    return text(start_response, "ok")


def wrapped(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    stream = io.BytesIO(b"0123456789" * 20000)
    stream.read(5)
    return environ["wsgi.file_wrapper"](stream, 100)


def longer(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return iter([b"abcdef", b"ghi"])


def shorter(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "9")])
    return [b"abc"]


def leave(environ, start_response):
    sys.exit(4)


def bad_head(environ, start_response):
    kind = environ["QUERY_STRING"]
    bad = {
        "status": ("200", []),
        "name": ("200 OK", [("A B", "c")]),
        "value": ("200 OK", [("A", "b\nc")]),
        "wide": ("200 OK", [("A", "\u20ac")]),
        "hop": ("200 OK", [("Connection", "close")]),
        "tuple": ("200 OK", [["A", "b"]]),
        "list": ("200 OK", (("A", "b"),)),
        "wide-status": ("200 \u20ac", []),
        "space": ("200 OK ", []),
        "informational": ("100 Continue", []),
        "number": (200, []),
        "Status": ("200 OK", [("Status", "200")]),
        "dash": ("200 OK", [("A-", "b")]),
        "lengths": ("200 OK", [("Content-Length", "8"), ("content-length", "8")]),
        "length": ("200 OK", [("Content-Length", " 8")]),
        "bytes": ("200 OK", [("A", b"b")]),
        "odd": ("777 Odd\tone", [("A", "d\xe9j\xe0 \t"), ("Server", "mine")]),
    }[kind]
    try:
        start_response(*bad)
    except Exception as error:
        try:
            raise error
        except Exception:
            start_response("200 OK", [("Content-Type", "text/plain")], sys.exc_info())
        return [type(error).__name__.encode()]
    return [b"accepted"]


def wait_for_file(name):
    while not os.path.exists(os.path.join(folder, name)):
        time.sleep(0.005)


def hold(environ, start_response):
    """Waits for a file, and says so."""
    environ["wsgi.errors"].write("begun %s\n" % environ["QUERY_STRING"])
    wait_for_file(environ["QUERY_STRING"])
    return text(start_response, "held")


def echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", environ["CONTENT_LENGTH"])])
    return environ["wsgi.file_wrapper"](environ["wsgi.input"])


def drain(environ, start_response):
    """Reads its body behind the end of its response: a half in the iterator, the rest in close()."""
    name = environ["QUERY_STRING"]
    source = environ["wsgi.input"]
    half = int(environ["CONTENT_LENGTH"]) // 2
    lengths = []

    def blocks():
        environ["wsgi.errors"].write("begun %s\n" % name)
        wait_for_file(name)
        yield b"ok"
        time.sleep(0.1)  # the next request could be sent now
        lengths.append(len(source.read(half)))

    def close():
        lengths.append(len(source.read()))
        events.append("drained %s: %s" % (name, lengths))

    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return Closing(blocks(), close)


def read_aside(environ, start_response):
    """Another thread reads the body while this one sends its response, and behind its end."""
    source = environ["wsgi.input"]

    def read():
        try:
            while source.read1(1000):
                pass
            events.append("aside: all")
        except (OSError, ValueError) as error:
            events.append("aside: %s" % error)

    threading.Thread(target=read).start()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter([b"x" * 1000] * 20)


def late_write(environ, start_response):
    name = environ["QUERY_STRING"]
    send = start_response("200 OK", [("Content-Type", "text/plain")] + [("Content-Length", "3")] * (name == "length"))

    def late():
        wait_for_file("late-" + name)
        try:
            send(b"late")
        except ValueError as error:
            events.append("late %s: %s" % (name, error))

    threading.Thread(target=late).start()
    return [b"one"]


def flood(environ, start_response):
    """Other threads write() and write to wsgi.errors until a file is there, behind the end of the response."""
    name = environ["QUERY_STRING"]
    send = start_response("200 OK", [("Content-Type", "text/plain")])
    refused = []

    def late():
        while not os.path.exists(os.path.join(folder, name)):
            try:
                send(b"flood")
            except ValueError:
                refused.append(1)
            environ["wsgi.errors"].write("late line\n")
        events.append("%s %s" % (name, len(refused) > 10))

    threading.Thread(target=late).start()
    return [b"one"]


def chatty_close(environ, start_response):
    def close():
        for i in range(10):
            time.sleep(0.25)
            environ["wsgi.errors"].write("closing %d\n" % i)

    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return Closing([b"chat"], close)


def linger(environ, start_response):
    """A thread runs on when the process ends otherwise, and imports a module then."""

    def run():
        while threading.main_thread().is_alive():
            time.sleep(0.01)
        import colorsys

        time.sleep(2)  # two beats
        open(os.path.join(folder, "lingered"), "w").close()
        time.sleep(60)

    threading.Thread(target=run).start()
    return text(start_response, str(os.getpid()))


def small(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "40000000")])
    return (b"x" * 4000 for _ in range(10000))


def nap(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"]))
    return text(start_response, str(os.getpid()))


def stubborn(environ, start_response):
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
    time.sleep(30)


def background_errors(environ, start_response):
    stream = environ["wsgi.errors"]

    def report():
        for i in range(50):
            stream.write("background %d\n" % i)

    threading.Thread(target=report).start()
    return Closing([b"x" * 10 for _ in text(start_response, b"x" * 500) for _ in range(50)], lambda: None)


PATHS = {
    "/facts": facts,
    "/read": read_all,
    "/count": count,
    "/halves": halves,
    "/id": identity,
    "/stream": stream,
    "/release": release,
    "/endless": endless,
    "/after-length": after_length,
    "/slow-close": slow_close,
    "/big": big,
    "/write": write,
    "/replaced": replaced,
    "/too-late": too_late,
    "/errors": errors,
    "/wrapped": wrapped,
    "/longer": longer,
    "/shorter": shorter,
    "/exit": leave,
    "/bad": bad_head,
    "/nap": nap,
    "/hold": hold,
    "/echo": echo,
    "/drain": drain,
    "/read-aside": read_aside,
    "/late-write": late_write,
    "/flood": flood,
    "/chatty-close": chatty_close,
    "/linger": linger,
    "/small": small,
    "/stubborn": stubborn,
    "/background": background_errors,
    "/unread": lambda environ, start_response: text(start_response, "unread"),
    "/events": lambda environ, start_response: text(start_response, json.dumps(events)),
}


def checked_app(environ, start_response):
    """What the validator is around: it reads a line of the body, and answers with an iterable."""
    body = environ["wsgi.input"].read(10) + environ["wsgi.input"].readline()
    environ["wsgi.errors"].write("")
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Method", environ["REQUEST_METHOD"])])
    return iter([b"validated ", body, b"" if environ["REQUEST_METHOD"] == "HEAD" else b"!"])


validated = validator(checked_app)
flask_app = None
django_app = None

if os.environ.get("SUITE_FRAMEWORKS"):
    from django_suite import application as django_app
    from flask_suite import app as flask_app


def mounted(app, prefix, environ, start_response):
    environ["SCRIPT_NAME"] += prefix
    environ["PATH_INFO"] = environ["PATH_INFO"][len(prefix) :]
    return app(environ, start_response)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in PATHS:
        return PATHS[path](environ, start_response)
    if path.startswith("/validated"):
        return validated(environ, start_response)
    if path.startswith("/flask/"):
        return mounted(flask_app, "/flask", environ, start_response)
    if path.startswith("/django/"):
        return mounted(django_app, "/django", environ, start_response)
    return text(start_response, "hello\n")
