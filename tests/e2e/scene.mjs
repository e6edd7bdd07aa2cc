/**
 * A small project being worked on for real: files edited, commits made, commands run with `kymo run`.
 *
 * Nothing in it is made up for the page: what it shows is what the program noticed.
 */
import { execFile } from "node:child_process";
import { appendFile, mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { environment, run } from "./kymo.mjs";

const CART = `export function total(items) {
  return items.reduce((sum, item) => sum + item.price * item.count, 0);
}

export function discounted(items, percent) {
  return total(items) * (1 - percent / 100);
}
`;

const CHECK = `import { discounted, total } from "./src/cart.js";

const items = [{ price: 4, count: 2 }, { price: 1.5, count: 4 }];
const checks = [
  ["a cart adds up", total(items), 14],
  ["a discount is taken off the whole", discounted(items, 50), 7],
];
for (const [what, found, wanted] of checks) {
  if (found === wanted) console.log(\`✓ \${what}\`);
  else {
    console.error(\`✗ \${what}: \${found} instead of \${wanted}\`);
    process.exitCode = 1;
  }
}
`;

/** A project under git, with a first commit. */
export async function makeProject(folder) {
  const project = new Project(folder);
  await mkdir(path.join(folder, "src"), { recursive: true });
  await project.write("package.json", `${JSON.stringify({ name: "shop", version: "1.0.0", type: "module" }, null, 2)}\n`);
  await project.write("README.md", "# Shop\n\nA cart that adds up.\n");
  await project.write(".gitignore", "node_modules/\n.kymo/\n");
  await project.write("src/cart.js", CART.slice(0, CART.indexOf("\nexport function discounted")));
  await project.git("init", "-q", "-b", "main");
  await project.commit("Add up a cart");
  return project;
}

export class Project {
  constructor(folder) {
    this.folder = folder;
  }
  file = (name) => path.join(this.folder, name);
  write = (name, text) => writeFile(this.file(name), text);
  append = (name, text) => appendFile(this.file(name), text);
  move = (from, to) => rename(this.file(from), this.file(to));
  remove = (name) => rm(this.file(name));

  git(...args) {
    const author = { GIT_AUTHOR_NAME: "planner", GIT_AUTHOR_EMAIL: "planner@example.org" };
    const committer = { GIT_COMMITTER_NAME: "planner", GIT_COMMITTER_EMAIL: "planner@example.org" };
    const env = environment({ ...author, ...committer, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" });
    return promisify(execFile)("git", args, { cwd: this.folder, env });
  }
  async commit(subject) {
    await this.git("add", "-A");
    await this.git("commit", "-q", "-m", subject);
  }

  /** Runs a command under the program's eyes; one that fails is part of the work. */
  async kymo(...args) {
    await run(args, { cwd: this.folder }).catch(() => {});
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** An afternoon in a few seconds. `pace` is the time between one thing and the next, in ms. */
export async function workFor(project, pace) {
  const check = () => project.kymo("run", "--", "node", "check.js");
  const says = (...args) => project.kymo("emit", ...args, "--session", "s-41");
  const steps = [
    () => project.git("checkout", "-q", "-b", "discounts"),
    () => project.write("src/cart.js", CART.replace("1 - percent / 100", "1 - percent")),
    () => project.write("check.js", CHECK),
    check,
    () => says("agent.message", "text=The discount is a percentage, but it is used as a fraction", "--agent", "reviewer"),
    () => project.write("src/cart.js", CART),
    check,
    () => project.commit("Take a discount off the whole cart"),
    () => project.append("README.md", "\n## Discounts\n\n`discounted(items, percent)` takes percents off.\n"),
    () => project.write("src/prices.js", "export const currency = 'EUR';\n"),
    () => project.move("src/prices.js", "src/currency.js"),
    () => says("task.completed", "title=Discounts", "files=3", "--agent", "planner", "--task", "shop-12"),
    () => project.commit("Say how discounts work"),
    () => project.git("checkout", "-q", "main"),
    () => project.git("merge", "-q", "--ff-only", "discounts"),
    () => project.kymo("emit", "disk.low", "message=Less than 5 % of the disk is free", "free=0.046", "--level", "warn", "--source", "monitor"),
    () => project.write("notes.txt", "ask about rounding\n"),
    () => project.remove("notes.txt"),
  ];
  for (const step of steps) {
    await step();
    await pause(pace);
  }
}
