"""A Python process of tsgi: runs a WSGI application (PEP 3333) for one tsgi process.

tsgi starts this file with one argument, a JSON object: the path of a Unix socket, an id, the application and the number
of threads. Each thread has a connection to that socket and serves one request at a time. One more connection reports
that the application is loaded, that it does not load, or that this process is alive.

A frame is a byte for its type, four bytes for its length, and its content. To the child:

    R  a request: a byte that says whether the content ends with the whole body (1) or the body is to be pulled (0), four
       bytes for the length of the environ, the environ as JSON, the body
    B  a block of the body, the answer to P; an empty one is the end
    X  the body cannot be read: the reason
    A  nobody wants the rest of the response

From the child:

    C  the connection is for reports: the id              N  the connection is for requests: the id
    P  the application wants a block of the body          H  status and header list, as JSON
    D  a block of the response                            E  the response is complete
    T  the application failed: its traceback              I  the thread waits for a request
    G  text for wsgi.errors

No frame of one request is taken as one of another. tsgi answers each P, unless it has sent A. The body of a request can be
read until its close() has returned: until then, tsgi sends no other request. I is sent when no P waits for its answer.
After E or T, nothing more of a response is sent, from whatever thread.

Reports are L (loaded: the files of the modules), F (not loaded: traceback and files), M (more files), K (alive), Q (a
SIGTERM came: another process is to take the place of this one) and G (text for wsgi.errors of a request that is over).

The process ends when tsgi has closed all its connections, or is gone: then standard input, which is a pipe, ends.

It uses the standard library only, with the grammar of Python 3.9.
"""

import ast
import faulthandler
import importlib
import io
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import sys
import sysconfig
import threading
import traceback

HEAD = struct.Struct(">cI")
LENGTH = struct.Struct(">I")
READ = 65536  # bytes to receive at a time
COPIED = 65536  # bytes of a block up to which it is copied behind its head, which saves a system call
FILE_BLOCK = 65536  # least bytes that file_wrapper reads at a time
BEAT = 1.0  # seconds between two reports
ORPHAN_TIME = 2.0  # seconds that running requests have when tsgi is gone
COMPLETE = "write: the response is complete"

OWN = os.path.abspath(__file__)  # Python removes __file__ when the main thread ends, and other threads may run on
STANDARD = sysconfig.get_paths()["stdlib"] + os.sep
PACKAGES = tuple(STANDARD + name for name in ("site-packages", "dist-packages"))

# What the gateway of tsgi accepts: what it would refuse is refused here, where the application can see why.
STATUS = re.compile(r"[2-9][0-9]{2} (?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\Z")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
LENGTH_VALUE = re.compile(r"[0-9]{1,15}\Z")
HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding", "upgrade")
)


class LinkClosed(Exception):
    """tsgi has closed the connection, or it is broken."""


class Aborted(Exception):
    """Nobody wants the rest of the response."""


def pack(kind, content=b""):
    return HEAD.pack(kind, len(content)) + content


IDLE = pack(b"I")


class Sending:
    """The right to send on a connection, which one thread has at a time. An error of the connection becomes LinkClosed."""

    def __init__(self):
        self.lock = threading.Lock()

    def __enter__(self):
        self.lock.acquire()

    def __exit__(self, kind, error, trace):
        self.lock.release()
        if isinstance(error, OSError):
            raise LinkClosed from error


class Link:
    """A connection to tsgi. Other threads of the application may send too, by wsgi.errors."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)
        self.sending = Sending()
        self.receiving = threading.Lock()
        self.received = b""
        self.next = None  # a request that came while an answer to P was expected

    def send(self, data):
        with self.sending:
            self.sock.sendall(data)

    def send_response(self, response, before, block, after):
        """Sends the bytes before a block of a response, the block, and its last frame. Returns whether it has sent them.

        It sends nothing if the last frame of the response has been sent. The check and the sending are one step, so that
        another thread of the application cannot send a block of one response into the next one.
        """
        size = len(block)
        if size > COPIED:
            parts = (before + HEAD.pack(b"D", size), block, after)
        else:
            parts = (b"".join((before, HEAD.pack(b"D", size), block, after)) if size else before + after,)
        with self.sending:
            if response.over:
                return False
            if after:
                response.over = True
                response.done = after.endswith(IDLE)
            for part in parts:
                if part:
                    self.sock.sendall(part)
        return True

    def send_text(self, response, frame):
        """Sends text for wsgi.errors, unless the thread waits for another request. Returns whether it has sent it."""
        with self.sending:
            if response.done:
                return False
            self.sock.sendall(frame)
        return True

    def send_idle(self, response):
        """Ends a request. An aborted response has no last frame of its own."""
        with self.sending:
            response.over = response.done = True
            self.sock.sendall(IDLE)

    def request(self):
        """Waits for a request: its content."""
        content, self.next = self.next, None
        while content is None:
            with self.receiving:
                kind, received = self.receive()
            if kind == b"R":
                content = received
        return content

    def answer(self):
        """Waits for the answer to P: its type and its content. A request is kept for `request`."""
        with self.receiving:
            while True:
                kind, content = self.receive()
                if kind == b"R":
                    self.next = content
                    continue
                if kind == b"A":
                    self.received = pack(b"A") + self.received  # is_aborted is to see it too
                return kind, content

    def receive(self):
        """Waits for a frame: its type and its content. The caller has the lock `receiving`."""
        received = self.received
        try:
            while len(received) < 5:
                more = self.sock.recv(READ)
                if not more:
                    raise LinkClosed
                received += more
            kind, size = HEAD.unpack_from(received)
            if len(received) < 5 + size:
                parts = [received]
                missing = 5 + size - len(received)
                while missing > 0:
                    more = self.sock.recv(max(READ, missing))
                    if not more:
                        raise LinkClosed
                    parts.append(more)
                    missing -= len(more)
                received = b"".join(parts)
        except OSError as error:
            raise LinkClosed from error
        self.received = received[5 + size :]
        return kind, received[5 : 5 + size]

    def is_aborted(self):
        """Whether tsgi has sent A. Does not wait."""
        if not self.receiving.acquire(False):
            return False  # another thread of the application waits for a block of the body
        try:
            if not self.received:
                more = self.sock.recv(READ, socket.MSG_DONTWAIT)
                if not more:
                    raise LinkClosed
                self.received = more
            return self.received[:1] == b"A"
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            raise LinkClosed from error
        finally:
            self.receiving.release()


class Body(io.RawIOBase):
    """The request body, pulled from tsgi block by block. What the application does not read is never sent."""

    def __init__(self, link, length):
        self.link = link
        self.missing = int(length) if length.isdecimal() else None  # bytes up to CONTENT_LENGTH
        self.pulling = threading.Lock()
        self.rest = memoryview(b"")
        self.failure = None
        self.ended = False

    def readable(self):
        return True

    def readinto(self, target):
        if not self.rest and not self.ended:
            self.pull()
        count = min(len(target), len(self.rest))
        target[:count] = self.rest[:count]
        self.rest = self.rest[count:]
        return count

    def pull(self):
        with self.pulling:
            if self.link is None:
                raise ValueError("wsgi.input: the request is over")
            if self.failure is not None:
                raise ConnectionError(self.failure)
            try:
                self.link.send(pack(b"P"))
                kind, content = self.link.answer()
            except LinkClosed:
                kind, content = b"X", b"the connection to tsgi is closed"
            self.take(kind, content)

    def finish(self):
        """The request is over. Waits for the answer that another thread of the application still expects."""
        with self.pulling:
            self.link = None

    def take(self, kind, content):
        if kind == b"B":
            self.rest = memoryview(content)
            self.ended = not content
            if self.missing is not None:
                self.missing -= len(content)
            return
        if kind == b"X" and self.missing == 0:
            self.ended = True  # without bufferRequests, the end of a body cannot be read behind that of the response
            return
        self.failure = content.decode("utf-8", "replace") if kind == b"X" else "the client is gone"
        raise ConnectionError(self.failure)


class Errors:
    """wsgi.errors. It sends whole lines, and the rest when it is flushed.

    Other threads of the application may write, also when the request is over. Then the text goes with the reports, which
    belong to no request: on the connection of the thread it would be that of the next request.
    """

    encoding = "utf-8"

    def __init__(self, link, reports):
        self.link = link
        self.reports = reports
        self.response = None
        self.text = ""
        self.lock = threading.Lock()  # of the text

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("wsgi.errors: expected str, got " + type(text).__name__)
        with self.lock:
            self.text += text
        if "\n" in text:
            self.flush()
        return len(text)

    def writelines(self, texts):
        for text in texts:
            self.write(text)

    def flush(self):
        with self.lock:
            text, self.text = self.text, ""
        if text:
            frame = pack(b"G", text.encode("utf-8", "backslashreplace"))
            try:
                if not self.link.send_text(self.response, frame):
                    self.reports.send(frame)
            except LinkClosed:
                sys.stderr.write(text)


class FileWrapper:
    """wsgi.file_wrapper: the blocks of a file-like object."""

    def __init__(self, filelike, block_size=8192):
        self.filelike = filelike
        self.block_size = max(block_size, FILE_BLOCK)
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        block = self.filelike.read(self.block_size)
        if block:
            return block
        raise StopIteration


class Response:
    """The response of one request: start_response, write, and what has been sent."""

    def __init__(self, link, errors):
        self.link = link
        self.errors = errors
        errors.response = self
        self.head = None
        self.sent = False
        self.remaining = None
        self.complete = False  # E is sent, or nothing more may be
        self.over = False  # its last frame is sent; `sending` of the link guards this and `done`
        self.done = False  # the thread waits for another request

    def start(self, status, headers, exc_info=None):
        if exc_info:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.head is not None:
            raise AssertionError("start_response was called before, and this call has no exc_info")
        self.head = ("", [])  # a call that fails counts as a call
        if not isinstance(status, str) or STATUS.match(status) is None:
            raise ValueError("start_response: expected a status such as '200 OK', from 200 to 999, got %r" % (status,))
        if not isinstance(headers, list):
            raise TypeError("start_response: expected a list of headers, got " + type(headers).__name__)
        remaining = None
        for pair in headers:
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise TypeError("start_response: expected a tuple of name and value, got %r" % (pair,))
            name, value = pair
            if not isinstance(name, str) or not isinstance(value, str):
                raise TypeError("start_response: expected str in the header %r" % (pair,))
            if TOKEN.match(name) is None or BAD_VALUE.search(value) is not None:
                raise ValueError("start_response: the header %r has a character that it cannot have" % (pair,))
            lower = name.lower()
            if lower in HOP_BY_HOP:
                raise ValueError("start_response: %s is hop-by-hop: only the server sends it" % name)
            if lower == "status" or name[-1] in "-_":
                raise ValueError("start_response: the header %s is not the application's to set" % name)
            if lower == "content-length":
                if remaining is not None:
                    raise ValueError("start_response: Content-Length is given twice")
                if LENGTH_VALUE.match(value) is None:
                    raise ValueError("start_response: expected a whole number as Content-Length, got %r" % value)
                remaining = int(value)
        self.remaining = remaining
        self.head = (status, list(headers))
        return self.write

    def write(self, block):
        if type(block) is not bytes:
            block = as_bytes(block)
        if self.complete and block:
            raise ValueError("write: more bytes than the Content-Length" if self.remaining == 0 else COMPLETE)
        self.send(block, b"", True)

    def send(self, block, after, anyway=False):
        """Sends a block, behind the head if that has not been sent. An empty block sends nothing, unless `anyway`.

        Returns whether more blocks may follow. `after` is sent in the same call, as is the end of the response with the
        block that reaches the Content-Length: else a client that leaves then would seem to leave early.
        """
        if not block and not anyway and not after:
            return True
        before = b""
        if not self.sent:
            if self.head is None or self.head[0] == "":
                raise AssertionError("the application has sent a block and not called start_response")
            self.sent = True
            before = pack(b"H", json.dumps(self.head).encode("ascii"))
        elif block and not self.complete and self.link.is_aborted():
            raise Aborted
        over = False
        if self.remaining is not None:
            over = len(block) > self.remaining
            if over:
                block = block[: self.remaining]
            self.remaining -= len(block)
            if self.remaining == 0 and not self.complete and not after:
                after = pack(b"E")
        if after:
            self.complete = True
        if (block or before or after) and not self.link.send_response(self, before, block, after):
            raise ValueError(COMPLETE)
        if over:
            self.errors.write("tsgi: the body is longer than its Content-Length; the rest was not sent\n")
        return not over

    def end(self, after=b""):
        """Ends a response whose body is exhausted."""
        if self.complete:
            if after:
                self.link.send_idle(self)
            return
        if self.head is None or self.head[0] == "":
            raise AssertionError("the application has not called start_response")
        self.send(b"", pack(b"E") + after)


def as_bytes(block):
    if isinstance(block, (bytes, bytearray, memoryview)):
        return bytes(block)
    raise TypeError("the body: expected bytes, got " + type(block).__name__)


class Server:
    """The threads of this process."""

    def __init__(self, options):
        self.options = options
        self.reports = None
        self.application = None
        self.terminated = False
        self.busy = set()  # the links with a running request

    def terminate(self, number, frame):
        self.terminated = True

    def serve(self, link):
        """Serves requests on a connection until tsgi closes it."""
        try:
            link.send(IDLE)
            while True:
                content = link.request()
                self.busy.add(link)
                self.request(link, content)
                self.busy.discard(link)
        except LinkClosed:
            pass
        finally:
            self.busy.discard(link)
            link.sock.close()

    def request(self, link, content):
        size = LENGTH.unpack_from(content, 1)[0]
        environ = json.loads(content[5 : 5 + size])
        body = None
        if content[0] == 1:
            raw = io.BytesIO(content[5 + size :])
        else:
            raw = body = Body(link, environ.get("CONTENT_LENGTH", ""))
        errors = Errors(link, self.reports)
        environ.update(
            {
                "wsgi.version": (1, 0),
                "wsgi.input": io.BufferedReader(raw, READ if body else 8192),
                "wsgi.errors": errors,
                "wsgi.multithread": self.options["threads"] > 1,
                "wsgi.run_once": False,
                "wsgi.file_wrapper": FileWrapper,
                "wsgi.input_terminated": True,
            }
        )
        response = Response(link, errors)
        idle = False  # whether the idle frame is sent
        result = None
        try:
            result = self.application(environ, response.start)
            # Without a close() the thread is free with the end of the response: one system call less.
            tail = b"" if body is not None or hasattr(result, "close") else IDLE
            if tail:
                errors.flush()
            if not self.is_one_block(result, response, tail):
                self.iterate(result, response)
                response.end(tail)
            idle = tail != b""
        except LinkClosed:
            raise
        except Aborted:
            response.complete = True
        except BaseException:  # SystemExit too: one request does not end the process
            failed(response, errors)
        try:
            if hasattr(result, "close"):
                result.close()
        except LinkClosed:
            raise
        except BaseException:
            errors.write("close(): " + traceback.format_exc())
        if body is not None:
            body.finish()
        errors.flush()
        if not idle:
            link.send_idle(response)

    @staticmethod
    def is_one_block(result, response, tail):
        """Whether the body is a list of one block. It is sent with the head and the end, in one system call."""
        if not tail or type(result) not in (list, tuple) or len(result) != 1 or response.sent:
            return False
        block = result[0]
        response.send(block if type(block) is bytes else as_bytes(block), pack(b"E") + tail)
        return True

    @staticmethod
    def iterate(result, response):
        for block in result:
            if not response.send(block if type(block) is bytes else as_bytes(block), b""):
                break


def failed(response, errors):
    """Reports the error of an application. A complete response stays complete."""
    text = traceback.format_exc()
    if response.complete:
        errors.write(text)
    else:
        response.complete = True
        response.link.send_response(response, b"", b"", pack(b"T", text.encode("utf-8", "backslashreplace")))


def load(spec):
    """Imports MODULE, MODULE:NAME or MODULE:FACTORY(...), whose arguments are literals."""
    module, _, name = spec.partition(":")
    try:
        value = importlib.import_module(module)
    except ImportError as error:
        if module.endswith(".py") and os.path.exists(module):
            raise ImportError("expected a module, not a file: did you mean %s?" % spec.replace(".py", "", 1)) from error
        raise
    name, bracket, _ = (name or "application").partition("(")
    for part in name.split("."):
        value = getattr(value, part)
    if bracket:
        args, named = arguments(spec)
        value = value(*args, **named)
    if not callable(value):
        raise TypeError("%s: expected a callable, got %s" % (spec, type(value).__name__))
    return value


def arguments(spec):
    """The arguments of a factory: a list of positional ones, and named ones."""
    call = ast.parse(spec.partition(":")[2], mode="eval").body
    try:
        if not isinstance(call, ast.Call) or any(keyword.arg is None for keyword in call.keywords):
            raise ValueError
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        return [ast.literal_eval(value) for value in call.args], named
    except ValueError:
        raise ValueError("%s: expected literals as arguments, such as 'text', 1 or debug=True" % spec) from None


def module_files():
    """The files of the imported modules."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = {os.path.abspath(file) for file in files if isinstance(file, str) and file.endswith(".py")} - {OWN}
    return sorted(path for path in paths if not is_standard(path))


def is_standard(path):
    """Whether a file belongs to the standard library. Installed packages are in a folder of it."""
    return path.startswith(STANDARD) and not path.startswith(PACKAGES)


def failure_files(error):
    """The files through which an error came: a module that failed to load is not in sys.modules."""
    files = set()
    while error is not None:
        if isinstance(error, SyntaxError) and error.filename:
            files.add(os.path.abspath(error.filename))
        for frame in traceback.extract_tb(error.__traceback__):
            files.add(os.path.abspath(frame.filename))
        error = error.__cause__ or error.__context__
    return [file for file in files if os.path.exists(file) and file != OWN]


def watch(pipe, reports, server):
    """Reports that this process is alive, and ends it when tsgi is gone."""
    known = 0
    while True:
        if select.select([pipe], [], [], BEAT)[0]:
            break
        try:
            reports.send(pack(b"Q" if server.terminated else b"K"))
            if server.application is not None and len(sys.modules) != known:
                known = len(sys.modules)
                reports.send(pack(b"M", json.dumps(module_files()).encode("ascii")))
        except LinkClosed:
            break
    remove_folder(pipe, server.options)
    for _ in range(int(ORPHAN_TIME * 20)):
        if not server.busy:
            break
        threading.Event().wait(0.05)
    os._exit(1)


def remove_folder(pipe, options):
    """Removes the folder of the socket if tsgi is gone. Its pipe may end a moment after its connections."""
    if select.select([pipe], [], [], 0.1)[0] and os.read(pipe, 1) == b"":
        shutil.rmtree(os.path.dirname(options["path"]), ignore_errors=True)


def main():
    options = json.loads(sys.argv[1])
    sys.argv[:] = ["tsgi"]
    if sys.path[:1] == [os.path.dirname(OWN)]:
        del sys.path[0]
    sys.path.insert(0, os.getcwd())
    faulthandler.enable()  # tsgi ends a process that is stuck by SIGABRT: then this shows where
    pipe = os.dup(0)  # the application may read standard input, and finds nothing there
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    # A terminal or systemd sends them to this process too; tsgi decides what they mean. Programs that the application
    # starts do not inherit a handler, as they would SIG_IGN.
    for name in ("INT", "HUP", "QUIT", "USR1", "USR2", "TTIN", "TTOU"):
        signal.signal(getattr(signal, "SIG" + name), lambda number, frame: None)
    server = Server(options)
    signal.signal(signal.SIGTERM, server.terminate)  # systemd sends it to all processes of a service
    identity = options["id"].encode("ascii")
    server.reports = reports = Link(options["path"])
    reports.send(pack(b"C", identity))
    threading.Thread(target=watch, args=(pipe, reports, server), name="tsgi-watch", daemon=True).start()
    try:
        application = load(options["application"])
        report = pack(b"L", json.dumps(module_files()).encode("ascii"))
    except BaseException as error:
        files = sorted(set(module_files()) | set(failure_files(error)))
        reports.send(pack(b"F", json.dumps([traceback.format_exc(), files]).encode("ascii")))
        os._exit(3)
    server.application = application
    links = []
    for _ in range(options["threads"]):
        link = Link(options["path"])
        link.send(pack(b"N", identity))
        links.append(link)
    reports.send(report)
    # The first connection is served by the main thread: some libraries work only there.
    threads = [threading.Thread(target=server.serve, args=(link,), name="tsgi-%d" % i) for i, link in enumerate(links[1:])]
    for thread in threads:
        thread.start()
    server.serve(links[0])
    for thread in threads:
        thread.join()
    remove_folder(pipe, options)


if __name__ == "__main__":
    try:
        main()
    except (LinkClosed, OSError):
        os._exit(1)  # tsgi is gone
