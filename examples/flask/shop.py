"""A small shop: forms, a session, an upload, a stream of events. Serve it: tsgi --chdir examples/flask --python shop:app"""

import time

from flask import Flask, Response, redirect, request, session, stream_with_context, url_for

app = Flask(__name__)
app.secret_key = "for this example only"

PAGE = """<!doctype html>
<title>Shop</title>
<p>In your cart: %s</p>
<form method="post" action="/add"><input name="item" value="tea"><button>Add</button></form>
<form method="post" action="/upload" enctype="multipart/form-data"><input type="file" name="file"><button>Send</button></form>
<p><a href="/events">A stream</a></p>
"""


@app.get("/")
def index():
    return PAGE % (", ".join(session.get("cart", [])) or "nothing")


@app.post("/add")
def add():
    session["cart"] = [*session.get("cart", []), request.form["item"].replace("<", "&lt;")]
    return redirect(url_for("index"))


@app.post("/upload")
def upload():
    file = request.files["file"]
    return "%d bytes\n" % len(file.read())


@app.get("/events")
def events():
    def blocks():
        for number in range(5):
            yield "data: %d\n\n" % number  # is sent before the next one is asked for
            time.sleep(1)

    return Response(stream_with_context(blocks()), mimetype="text/event-stream")
