// An Express program with what tests/lifecycle/load.ts asks for.
import express from "express";

const app = express();
app.disable("x-powered-by");
app.get(["/", "/ok"], (request, response) => response.type("text").send(`ok ${request.url.split("?")[1]}`));
app.get(
  "/wait",
  (request, response) => setTimeout(() => response.type("text").send("waited"), Number(request.query.ms)),
);
app.listen(3000);
