/**
 * Counts the branches that code takes, so that the fuzzer sees which inputs reach something new.
 *
 * A load hook of Node rewrites the chosen modules before they run: it strips their types and puts a counter into each
 * branch. V8 has coverage of its own, but taking it costs milliseconds, which is too much for each of a million inputs,
 * and it lists only ranges that ran, so that it gives no share of all branches.
 *
 * These count as branches: both outcomes of a condition (`if`, `?:`, loops, the left side of `&&`, `||` and `??`), each
 * `case`, each `catch`, each default value, the right side of `??=`, and the body of a `for`-`of`. Functions are counted
 * apart.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { parseAst } from "rolldown/parseAst";
import type { Mutant } from "./mutants.ts";

/** A place with a counter. */
export interface Site {
  /** Path of the file from the root of the project. */
  readonly file: string;
  readonly line: number;
  /** What is counted there: `"condition true"`, `"case"`, `"function"`. */
  readonly kind: string;
}

const MOST_SITES = 1 << 14;

/** All counters; the same index in {@linkcode sites} says what each counts. */
export const counts: Uint32Array = new Uint32Array(MOST_SITES);
/** The places of the counters, in the order in which modules were loaded. */
export const sites: Site[] = [];

/** A node of the syntax tree, with the members that are of interest here. Which it has depends on its type. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly operator: string;
  readonly test: Node | null;
  readonly left: Node;
  readonly right: Node;
  readonly body: Node;
  readonly consequent: readonly Node[];
}

const NAME = "__branches";
const PROLOGUE = `const {c:__c,b:__b,n:__n}=globalThis.${NAME};`;

/**
 * Rewrites the modules with these paths from the root of the project when they are loaded later. `mutant` is put in first.
 */
export function countBranches(root: URL, files: readonly string[], mutant?: Mutant): void {
  Object.assign(globalThis, {
    [NAME]: {
      c: counts,
      b: (site: number, value: unknown): unknown => {
        counts[value ? site : site + 1]!++;
        return value;
      },
      n: (site: number, value: unknown): unknown => {
        counts[value === null || value === undefined ? site : site + 1]!++;
        return value;
      },
    },
  });
  const wanted = new Map(files.map((file) => [new URL(file, root).href, file]));
  registerHooks({
    load(url, context, nextLoad) {
      const file = wanted.get(url);
      if (file === undefined) return nextLoad(url, context);
      const text = readFileSync(fileURLToPath(url), "utf8");
      const source = stripTypeScriptTypes(mutant?.file === file ? changed(text, mutant) : text);
      return { format: "module", source: counted(source, file), shortCircuit: true };
    },
  });
}

function changed(text: string, { file, from, to }: Mutant): string {
  if (text.split(from).length !== 2) throw new RangeError(`${file} has to have this once: ${from}`);
  return text.replace(from, () => to);
}

/** The module with counters in it. They are added to its lines, whose numbers stay. */
function counted(source: string, file: string): string {
  const insertions = new Insertions(source, file);
  insertions.visit(parseAst(source) as unknown as Node);
  return PROLOGUE + insertions.apply();
}

class Insertions {
  readonly #source: string;
  readonly #file: string;
  readonly #opened: Map<number, string> = new Map(); // in front of what begins at an index
  readonly #closed: Map<number, string> = new Map(); // behind what ends there

  constructor(source: string, file: string) {
    this.#source = source;
    this.#file = file;
  }

  visit(node: Node): void {
    this.#count(node);
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (typeof child?.type === "string" && typeof child.start === "number") this.visit(child as Node);
      }
    }
  }

  apply(): string {
    let result = "";
    for (let at = 0; at <= this.#source.length; at++) {
      result += (this.#closed.get(at) ?? "") + (this.#opened.get(at) ?? "") + this.#source.charAt(at);
    }
    return result;
  }

  #count(node: Node): void {
    const { test, body, left, right, operator, consequent } = node;
    switch (node.type) {
      case "IfStatement":
      case "ConditionalExpression":
      case "WhileStatement":
      case "DoWhileStatement":
      case "ForStatement":
        if (test !== null) this.#wrap(test, `__b(${this.#site(node, "condition true", "condition false")},`);
        return;
      case "LogicalExpression": {
        const name = operator === "??" ? "n" : "b";
        const ways = operator === "??" ? ["?? absent", "?? present"] : [`${operator} true`, `${operator} false`];
        return this.#wrap(left, `__${name}(${this.#site(node, ...ways)},`);
      }
      case "AssignmentExpression":
        if (["??=", "&&=", "||="].includes(operator)) this.#first(right, this.#site(node, "assigned"));
        return;
      case "AssignmentPattern":
        return this.#first(right, this.#site(node, "default value"));
      case "SwitchCase":
        if (consequent[0] === undefined) return;
        return this.#open(consequent[0].start, `__c[${this.#site(node, "case")}]++;`);
      case "CatchClause":
      case "ForOfStatement":
        if (body.type !== "BlockStatement") return;
        return this.#enter(body, this.#site(node, node.type === "CatchClause" ? "catch" : "loop entered"));
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression": {
        const site = this.#site(node, "function");
        if (body.type === "BlockStatement") this.#enter(body, site);
        else this.#first(body, site);
      }
    }
  }

  #site(node: Node, ...kinds: string[]): number {
    const line = this.#source.slice(0, node.start).split("\n").length;
    const first = sites.length;
    for (const kind of kinds) sites.push({ file: this.#file, line, kind });
    if (sites.length > MOST_SITES) throw new RangeError("there are more branches than counters");
    return first;
  }

  #enter(block: Node, site: number): void {
    this.#open(block.start + 1, `__c[${site}]++;`);
  }

  #first(expression: Node, site: number): void {
    this.#wrap(expression, `(__c[${site}]++,`);
  }

  /** Puts `opening` in front of an expression and `)` behind it. Outer expressions are visited before inner ones. */
  #wrap(node: Node, opening: string): void {
    this.#open(node.start, `${opening}(`);
    this.#closed.set(node.end, `))${this.#closed.get(node.end) ?? ""}`);
  }

  #open(at: number, text: string): void {
    this.#opened.set(at, (this.#opened.get(at) ?? "") + text);
  }
}
