/**
 * The real program, started on a free port in a temporary folder and ended by its own handle.
 */
import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const program = path.resolve(process.env.KYMO_BIN ?? path.join(root, "target/release/kymo"));

/** Asks again and again until there is an answer. */
export async function until(what, ask, { withinMs = 60_000, everyMs = 15 } = {}) {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** A folder that is gone after the test. */
export async function temporaryFolder(test) {
  const folder = await mkdtemp(path.join(tmpdir(), "kymo-e2e-"));
  test?.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** What programs get to see of the environment: nothing of it leads to another server, or to one person's settings. */
export function environment(more = {}) {
  const { PATH, TMPDIR = tmpdir() } = process.env;
  return { PATH, TMPDIR, HOME: TMPDIR, TZ: "UTC", NO_COLOR: "1", ...more };
}

/** Runs the program to its end; answers with what it printed. */
export async function run(args, options = {}) {
  const { stdout } = await promisify(execFile)(program, args, { env: environment(), ...options });
  return stdout;
}

export class Kymo {
  #process = null;

  /** `args` begin with the command, `serve` or `up`. */
  constructor(data, args) {
    this.data = data;
    this.args = args;
    this.url = "";
    this.port = 0;
  }

  /** `serve` on a data folder of its own, with the text of its `kymo.toml` if it shall have one. */
  static async serve(test, settings = "") {
    const folder = path.join(await temporaryFolder(test), "data");
    const kymo = new Kymo(folder, ["serve", "--data", folder]);
    if (settings) await kymo.settings(settings);
    await kymo.start();
    test?.after(() => kymo.kill());
    return kymo;
  }

  /** Writes its `kymo.toml`. */
  async settings(text) {
    await mkdir(this.data, { recursive: true });
    await writeFile(path.join(this.data, "kymo.toml"), text);
  }

  /** Starts; after a first start always on the same port, so that pages find it again. */
  async start() {
    if (!existsSync(program)) throw new Error(`there is no ${program}: build it, or name another by KYMO_BIN`);
    const child = spawn(program, [...this.args, "--listen", `127.0.0.1:${this.port}`], {
      env: environment(),
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    let complaints = "";
    child.stderr.on("data", (text) => {
      complaints = (complaints + text).slice(-4000);
    });
    const server = await until("the server is up", async () => {
      if (child.exitCode !== null) throw new Error(`kymo ended with ${child.exitCode}: ${complaints}`);
      const text = await readFile(path.join(this.data, "server.json"), "utf8").catch(() => "");
      const found = text && JSON.parse(text);
      return found?.pid === child.pid && found;
    });
    this.url = server.url.replace(/\/$/, "");
    this.port = Number(new URL(this.url).port);
    this.token = (await readFile(path.join(this.data, "token"), "utf8")).trim();
  }

  /** Ends in order, and waits for it. */
  stop() {
    return this.#end("SIGTERM");
  }

  /** Ends at once, with no time for anything. */
  kill() {
    return this.#end("SIGKILL");
  }

  async #end(signal) {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }

  /** A line for the browser that logs it in. */
  async loginUrl() {
    const { url } = await this.api("POST", "/api/v1/login-codes");
    return url;
  }

  /** A token that may do less than the owner's. */
  async makeToken(scopes, bound = {}) {
    const name = `t${randomUUID()}`;
    const { token } = await this.api("POST", "/api/v1/tokens", JSON.stringify({ name, scopes, bound }));
    return token;
  }

  async api(method, where, body, type = "application/json") {
    const answer = await fetch(this.url + where, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { "Content-Type": type }) },
      body,
    });
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** Stores events; resolves with the receipt once they are on disk. */
  store(events) {
    return this.api("POST", "/api/v1/events", events.map((e) => JSON.stringify(e)).join("\n"), "application/x-ndjson");
  }

  /** `kymo emit`, with the data folder of this server. */
  async emit(...args) {
    const began = Date.now();
    const receipt = JSON.parse(await run(["emit", ...args, "--json", "--folder", this.data]));
    return { began, ended: Date.now(), seq: receipt.last };
  }

  /** Every event of the ledger, oldest first. */
  async ledger(filter = "") {
    const events = [];
    let next = 1;
    while (next !== null) {
      const page = await this.api("GET", `/api/v1/events?order=oldest&limit=1000&from=${next}&filter=${encodeURIComponent(filter)}`);
      events.push(...page.events);
      next = page.next;
    }
    return events;
  }
}
