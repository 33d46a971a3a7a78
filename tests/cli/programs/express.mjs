// An Express application that listens by itself.
import express from "express";

const app = express();
app.get("/", (request, response) => response.send(`express from ${request.ip}`));
app.listen(3000);
