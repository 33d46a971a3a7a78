// A Koa application that listens by itself.
import Koa from "koa";

const app = new Koa();
app.use((context) => context.body = `koa ${context.path}`);
app.listen(3000);
