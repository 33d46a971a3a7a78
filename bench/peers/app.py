"""The jobs as WSGI applications of Python, for gunicorn, uWSGI and wsgiref: app:hello, app:echo, app:k64, app:stream."""

HELLO = b"Hello, world!\n"
BIG = b"x" * 65536
BLOCK = b"x" * 16384
BYTES = ("Content-Type", "application/octet-stream")


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(HELLO)))])
    return [HELLO]


def echo(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [BYTES, ("Content-Length", str(len(body)))])
    return [body]


def k64(environ, start_response):
    start_response("200 OK", [BYTES, ("Content-Length", str(len(BIG)))])
    return [BIG]


def stream(environ, start_response):
    start_response("200 OK", [BYTES])
    return (BLOCK for _ in range(64))
