"""The Flask application of the tests."""

import os
import time

import flask

app = flask.Flask(__name__)
app.secret_key = "for tests"
folder = os.environ["SUITE_FOLDER"]


@app.route("/")
def hello():
    return "hello from Flask\n"


@app.route("/form", methods=["POST"])
def form():
    return "%s and %s" % (flask.request.form["name"], flask.request.form.getlist("more"))


@app.route("/login", methods=["POST"])
def login():
    flask.session["user"] = flask.request.form["user"]
    answer = flask.make_response(flask.redirect(flask.url_for("me")))
    answer.set_cookie("theme", "d\u00e9j\u00e0", max_age=60)
    answer.set_cookie("second", "2")
    return answer


@app.route("/me")
def me():
    return "%s %s" % (flask.session.get("user"), flask.request.cookies.get("theme"))


@app.route("/upload", methods=["POST"])
def upload():
    file = flask.request.files["file"]
    return "%s %d" % (file.filename, len(file.read()))


@app.route("/raw", methods=["POST"])
def raw():
    return str(len(flask.request.get_data()))


@app.route("/stream")
def stream():
    def blocks():
        yield "one\n"
        while not os.path.exists(os.path.join(folder, flask.request.args["until"])):
            time.sleep(0.005)
        yield "two\n"

    return app.response_class(flask.stream_with_context(blocks()), mimetype="text/plain")


@app.route("/file")
def file():
    return flask.send_file(os.path.join(folder, "large.bin"), mimetype="application/octet-stream")


@app.route("/before")
def before():
    raise RuntimeError("before the head")


@app.route("/after")
def after():
    def blocks():
        yield "begun\n"
        time.sleep(0.05)
        raise RuntimeError("after the head")

    return app.response_class(blocks(), mimetype="text/plain")


@app.route("/\u00fcber/<name>")
def unicode_path(name):
    return "%s %s" % (name, flask.request.path)


shop = flask.Blueprint("shop", __name__)


@shop.route("/item/<int:number>")
def item(number):
    return "%d at %s" % (number, flask.url_for("shop.item", number=number))


app.register_blueprint(shop, url_prefix="/shop")
