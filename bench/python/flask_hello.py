"""The Flask application of `bench/python.ts`."""

import flask

app = flask.Flask(__name__)


@app.route("/")
def hello():
    return "Hello, World!"


@app.route("/big/<int:size>")
def big(size):
    def blocks():
        block = b"x" * 65536
        for at in range(0, size, len(block)):
            yield block[: size - at]

    return app.response_class(blocks(), headers={"Content-Length": str(size)})


@app.route("/upload", methods=["POST"])
def upload():
    return str(len(flask.request.get_data()))


@app.route("/pid")
def pid():
    import os

    return str(os.getpid())
