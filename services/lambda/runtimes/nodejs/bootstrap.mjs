// The Node.js runtime: loads a function's handler and hands events to it.
//
// It speaks the Runtime API (2018-06-01) over one connection that it keeps, and prints what AWS's own runtime prints. The handler is
// `module.function`, where the module may be `folder/module` and the function `object.function`.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import path from "node:path";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const API = "/2018-06-01/runtime/";
const STREAMED = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
/** What comes between the head of a streamed HTTP answer and its body. */
const PRELUDE_END = Buffer.alloc(8);
const PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response";
const IS_JSON = (process.env.AWS_LAMBDA_LOG_FORMAT ?? "").toUpperCase() === "JSON";
const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

class Closed extends Error {}

/** What is wrong with the function before any event, by AWS's name. */
class Fault extends Error {
  constructor(kind, message) {
    super(message);
    this.name = kind;
  }
}

/** HTTP/1.1 to the Runtime API: one request after the other. */
class Connection {
  #data = Buffer.alloc(0);
  #arrived = null;
  #failed = null;

  constructor(address) {
    const at = address.lastIndexOf(":");
    this.host = address;
    this.socket = connect(Number(address.slice(at + 1)), address.slice(0, at));
    this.socket.setNoDelay(true);
    this.socket.on("data", (piece) => {
      this.#data = this.#data.length === 0 ? piece : Buffer.concat([this.#data, piece]);
      this.#tell();
    });
    const end = () => {
      this.#failed = new Closed("the environment ends");
      this.#tell();
    };
    this.socket.on("error", end).on("end", end).on("close", end);
  }

  head(method, where, headers) {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `${method} ${where} HTTP/1.1\r\nHost: ${this.host}\r\n${lines.join("")}\r\n`;
  }

  async send(method, where, body = "", headers = {}) {
    const length = Buffer.byteLength(body);
    this.socket.write(this.head(method, where, { ...headers, "Content-Length": length }) + body);
    return this.read();
  }

  async read() {
    let end;
    while ((end = this.#data.indexOf("\r\n\r\n")) < 0) await this.#more();
    const [first, ...lines] = this.#data.toString("latin1", 0, end).split("\r\n");
    const headers = {};
    for (const line of lines) {
      const at = line.indexOf(":");
      headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
    }
    const whole = end + 4 + Number(headers["content-length"] ?? 0);
    while (this.#data.length < whole) await this.#more();
    const body = this.#data.toString("utf8", end + 4, whole);
    this.#data = this.#data.subarray(whole);
    return { status: Number(first.split(" ")[1]), headers, body };
  }

  #more() {
    if (this.#failed) throw this.#failed;
    return new Promise((resolve, reject) => (this.#arrived = { resolve, reject }));
  }

  #tell() {
    const waiting = this.#arrived;
    this.#arrived = null;
    if (this.#failed) waiting?.reject(this.#failed);
    else waiting?.resolve();
  }
}

let requestId = "";
/** Whether the process ends because of what nobody has caught: nothing else is said then. */
let isDying = false;
const never = new Promise(() => {});

function printed(level, parts) {
  const at = new Date().toISOString();
  if (!IS_JSON) {
    const text = format(...parts).replaceAll("\n", "\r");
    process.stdout.write(`${at}\t${requestId || "undefined"}\t${level}\t${text}\n`);
    return;
  }
  const said = { timestamp: at, level, requestId };
  const [only] = parts;
  if (parts.length === 1 && !(only instanceof Error)) said.message = typeof only === "object" ? only : format(only);
  else said.message = format(...parts);
  const error = parts.find((part) => part instanceof Error);
  if (error) Object.assign(said, described(error), { stackTrace: stackOf(error) });
  delete said.trace;
  let line;
  try {
    line = JSON.stringify(said);
  } catch {
    line = JSON.stringify({ ...said, message: format(...parts) });
  }
  process.stdout.write(`${line}\n`);
}

/** Lines of the function go to its log, with their time, event and level. */
function patchConsole() {
  const wanted = IS_JSON ? LEVELS.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL ?? "").toUpperCase()) : -1;
  const methods = { trace: "TRACE", debug: "DEBUG", log: "INFO", info: "INFO", warn: "WARN", error: "ERROR", fatal: "FATAL" };
  for (const [method, level] of Object.entries(methods)) {
    const isSaid = LEVELS.indexOf(level) >= wanted;
    console[method] = (...parts) => isSaid && printed(level, parts);
  }
}

function stackOf(error) {
  return typeof error?.stack === "string" ? error.stack.split("\n") : [];
}

function described(error) {
  if (error instanceof Error) return { errorType: error.name, errorMessage: error.message, trace: stackOf(error) };
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

function errorHeaders(error) {
  const kind = described(error).errorType.replace(/[^\x20-\x7e]/g, "");
  return { "Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": kind };
}

/** An error with whatever else is known of it, as a line of the log has it. */
function forLog(error) {
  const said = error instanceof Error ? { ...error } : {};
  return JSON.stringify({ ...described(error), ...said, name: undefined, trace: undefined, stack: stackOf(error) });
}

function printError(title, error) {
  if (IS_JSON) printed("ERROR", [error]);
  else process.stdout.write(`${new Date().toISOString()}\t${requestId || "undefined"}\tERROR\t${title}\t${forLog(error)}\n`);
}

async function load(root, name) {
  const file = path.basename(name);
  const match = /^([^.]*)\.(.+)$/.exec(file);
  if (!match || name.includes("..")) throw new Fault("Runtime.MalformedHandlerName", "Bad handler");
  const [, base, nested] = match;
  const where = path.resolve(root, path.dirname(name), base);
  const module = await imported(where, path.join(path.dirname(name), base));
  const found = nested.split(".").reduce((object, key) => object?.[key], module) ?? nested.split(".").reduce((object, key) => object?.[key], module.default);
  if (found === undefined) throw new Fault("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof found !== "function") throw new Fault("Runtime.HandlerNotFound", `${name} is not a function`);
  return found;
}

async function imported(where, name) {
  const require = createRequire(`${path.dirname(where)}/`);
  try {
    for (const end of ["", ".js", ".mjs", ".cjs"]) {
      if (!existsSync(where + end) || (end === "" && !existsSync(path.join(where, "index.js")))) continue;
      // What is a directory is found as packages are.
      return end === "" ? require(where) : await import(pathToFileURL(where + end));
    }
    return require(require.resolve(name, { paths: [path.dirname(where), "/opt/nodejs/node_modules"] }));
  } catch (error) {
    if (error instanceof SyntaxError) throw Object.assign(new Fault("Runtime.UserCodeSyntaxError", `SyntaxError: ${error.message}`), { stack: error.stack });
    if (error?.code === "MODULE_NOT_FOUND" || error?.code === "ERR_MODULE_NOT_FOUND") {
      throw Object.assign(new Fault("Runtime.ImportModuleError", `Error: ${error.message}`), { stack: error.stack });
    }
    throw error;
  }
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const parsed = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed("lambda-runtime-client-context"),
    identity: parsed("lambda-runtime-cognito-identity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
  };
}

/** What a handler answers, whether it returns, promises or calls back. */
function answered(handler, event, context) {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const callBack = (error, answer) => {
      if (isOver) return;
      isOver = true;
      const end = () => (error === undefined || error === null ? resolve(answer) : reject(error));
      // Timers and connections of the function are waited for, unless it says that they need not be.
      if (context.callbackWaitsForEmptyEventLoop) process.once("pilvi:idle", end);
      else end();
      if (context.callbackWaitsForEmptyEventLoop) whenIdle();
    };
    context.done = callBack;
    context.succeed = (answer) => callBack(null, answer);
    context.fail = (error) => callBack(error ?? "handled");
    const returned = handler(event, context, callBack);
    if (typeof returned?.then === "function") returned.then(resolve, reject);
    else if (handler.length < 3 && returned !== undefined) resolve(returned);
    else if (handler.length < 3 && !isOver) waitsForCallback(() => isOver || resolve(null));
  });
}

/** How many handles keep the process alive beside those of this runtime. */
let ownHandles = 0;

function isIdle() {
  return process.getActiveResourcesInfo().filter((kind) => kind !== "TTYWrap" && kind !== "PipeWrap" && kind !== "FSReqCallback").length <= ownHandles;
}

function whenIdle() {
  if (isIdle()) process.emit("pilvi:idle");
  else setTimeout(whenIdle, 1).unref();
}

/** A handler that neither returns, promises nor calls back has nothing to answer, once nothing goes on any more. */
function waitsForCallback(end) {
  if (isIdle()) end();
  else setTimeout(() => waitsForCallback(end), 1).unref();
}

/** A streamed answer, in chunks as HTTP has them. */
class ResponseStream extends Writable {
  #connection;
  #where;
  #type = "application/octet-stream";
  #hasBegun = false;

  constructor(connection, where, highWaterMark) {
    super(highWaterMark ? { highWaterMark } : {});
    this.#connection = connection;
    this.#where = where;
  }

  setContentType(type) {
    if (this.#hasBegun) throw new Error("the answer has begun: its type cannot change");
    this.#type = type;
  }

  _write(piece, _, done) {
    this.#begin();
    if (piece.length === 0) return done();
    const socket = this.#connection.socket;
    socket.write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    socket.write("\r\n", done);
  }

  /** The last chunk, and what went wrong after it. */
  async finish(error) {
    this.#begin();
    let trailers = "";
    if (error !== undefined) {
      const body = Buffer.from(JSON.stringify(described(error))).toString("base64");
      trailers = `Lambda-Runtime-Function-Error-Type: ${errorHeaders(error)["Lambda-Runtime-Function-Error-Type"]}\r\nLambda-Runtime-Function-Error-Body: ${body}\r\n`;
    }
    this.#connection.socket.write(`0\r\n${trailers}\r\n`);
    await this.#connection.read();
  }

  get hasBegun() {
    return this.#hasBegun;
  }

  #begin() {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const headers = {
      "Content-Type": this.#type,
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
      "Transfer-Encoding": "chunked",
    };
    this.#connection.socket.write(this.#connection.head("POST", this.#where, headers));
  }
}

class HttpResponseStream {
  /** The same stream, which begins with status and headers. */
  static from(stream, prelude) {
    stream.setContentType(PRELUDE_TYPE);
    stream.write(Buffer.concat([Buffer.from(JSON.stringify(prelude)), PRELUDE_END]));
    return stream;
  }
}

async function streamed(connection, handler, event, context, where) {
  const stream = new ResponseStream(connection, `${where}response`, handler[HIGH_WATER_MARK]);
  const finished = new Promise((resolve, reject) => stream.on("finish", resolve).on("error", reject));
  try {
    await handler(event, stream, context);
    await finished;
  } catch (error) {
    printError("Invoke Error", error);
    if (stream.hasBegun) return stream.finish(error);
    return connection.send("POST", `${where}error`, JSON.stringify(described(error)), errorHeaders(error));
  }
  return stream.finish();
}

async function buffered(connection, handler, event, context, where) {
  let body;
  try {
    body = JSON.stringify(await answered(handler, event, context)) ?? "null";
  } catch (error) {
    if (isDying) return never;
    printError("Invoke Error", error);
    return connection.send("POST", `${where}error`, JSON.stringify(described(error)), errorHeaders(error));
  }
  return isDying ? never : connection.send("POST", `${where}response`, body, { "Content-Type": "application/json" });
}

async function serve(connection, handler) {
  for (;;) {
    requestId = "";
    const { status, headers, body } = await connection.send("GET", `${API}invocation/next`);
    if (status !== 200) throw new Closed("the environment ends");
    requestId = headers["lambda-runtime-aws-request-id"];
    if (headers["lambda-runtime-trace-id"]) process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"];
    else delete process.env._X_AMZN_TRACE_ID;
    const where = `${API}invocation/${requestId}/`;
    const handle = handler[STREAMED] ? streamed : buffered;
    let event;
    try {
      event = body === "" ? {} : JSON.parse(body);
    } catch (error) {
      await connection.send("POST", `${where}error`, JSON.stringify(described(error)), errorHeaders(error));
      continue;
    }
    await handle(connection, handler, event, contextOf(headers), where);
  }
}

async function main() {
  const connection = new Connection(process.env.AWS_LAMBDA_RUNTIME_API);
  await new Promise((resolve) => connection.socket.on("connect", resolve).on("error", resolve));
  patchConsole();
  globalThis.awslambda = {
    streamifyResponse: (handler, options) =>
      Object.assign(handler, { [STREAMED]: "response", [HIGH_WATER_MARK]: options?.highWaterMark }),
    HttpResponseStream,
  };
  /** What nobody catches ends the process: the event's answer says why. */
  const dies = (title, kind) => async (reason) => {
    if (isDying) return;
    isDying = true;
    const error = kind && !(reason instanceof Fault) ? Object.assign(new Error(String(reason?.message ?? reason)), { name: kind, reason }) : reason;
    if (reason?.stack) error.stack = reason.stack;
    printError(title, error);
    const where = requestId ? `${API}invocation/${requestId}/error` : `${API}init/error`;
    // The other one may be in the middle of something.
    const last = new Connection(process.env.AWS_LAMBDA_RUNTIME_API);
    await last.send("POST", where, JSON.stringify(described(error)), errorHeaders(error)).catch(() => {});
    process.exit(requestId ? 128 : 129);
  };
  process.on("uncaughtException", dies("Uncaught Exception"));
  process.on("unhandledRejection", dies("Unhandled Promise Rejection", "Runtime.UnhandledPromiseRejection"));
  let handler;
  try {
    handler = await load(process.env.LAMBDA_TASK_ROOT ?? "/var/task", process.env._HANDLER ?? "");
  } catch (error) {
    printError("Uncaught Exception", error);
    await connection.send("POST", `${API}init/error`, JSON.stringify(described(error)), errorHeaders(error));
    process.exit(1);
  }
  ownHandles = process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
  try {
    await serve(connection, handler);
  } catch (error) {
    if (!(error instanceof Closed)) throw error;
    process.exit(0);
  }
}

await main();
