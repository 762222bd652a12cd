// One task: its state and its log come by its stream, the rest is read when its status changes.
import { batch, effect, html, signal } from "../vendor/preact.js";
import { href, read, send } from "../lib/api.js";
import { shortId, visible } from "../lib/format.js";
import { members } from "../lib/json.js";
import { watchTask } from "../lib/task-stream.js";
import { poll } from "../lib/live.js";
import { Ask } from "../components/ask.js";
import { Artifacts } from "../components/artifacts.js";
import { Attempts, Timeline, attemptsOf } from "../components/attempts.js";
import { Failure } from "../components/failure.js";
import { mount } from "../components/frame.js";
import { JsonView } from "../components/json-view.js";
import { LogTail, makeLog } from "../components/log-tail.js";
import { Notice } from "../components/notice.js";
import { FINAL } from "../components/status.js";
import { TaskFacts, TaskHead } from "../components/task-head.js";
import { Why } from "../components/why.js";

const id = decodeURIComponent(location.pathname.replace(/\/$/, "").split("/").at(-1));
const path = `/v1/tasks/${id}`;
const WAITING = ["scheduled", "queued", "blocked", "retrying"];

const task = signal(null);
const raw = signal({});
const problem = signal(null);
const refused = signal(null);
const attempts = signal([]);
const files = signal([]);
const explanation = signal(null);
const written = signal("");
const question = signal(null);
const log = makeLog();
let stream = null;
let explaining = null;

function take(text) {
  const state = JSON.parse(text);
  const moved = task.peek()?.status !== state.status || task.peek()?.attempt !== state.attempt;
  batch(() => {
    task.value = state;
    raw.value = members(text);
  });
  if (moved) readMore(state);
}

/** Read what the stream does not carry. */
async function readMore(state) {
  try {
    const [tried, saved] = await Promise.all([read(`${path}/attempts`), read(`${path}/artifacts`)]);
    batch(() => {
      attempts.value = attemptsOf(tried);
      files.value = saved.data.items;
    });
  } catch (error) {
    problem.value = error;
  }
  const waits = WAITING.includes(state.status);
  if (waits && !explaining) explaining = poll(async () => (explanation.value = (await read(`${path}/explain`)).data));
  else if (waits) explaining.refresh();
  else {
    explaining?.stop();
    explaining = null;
    explanation.value = null;
  }
}

function hear(frames) {
  const lines = [];
  let state = null;
  let text = "";
  for (const [event, data] of frames) {
    if (event === "log") {
      const line = JSON.parse(data);
      lines.push({ ...line, data: line.data === null ? "" : members(data).data });
    } else if (event === "text") text += JSON.parse(data).text;
    else state = data;
  }
  batch(() => {
    if (lines.length) log.add(lines);
    if (text) written.value += text;
  });
  if (state) take(state);
}

async function start() {
  try {
    take((await read(path)).text);
    stream = watchTask(id, hear);
  } catch (error) {
    problem.value = error;
  }
}

/** Do something to the task, and show what the API says to it. */
async function act(verb, body) {
  refused.value = null;
  const { text } = await send("POST", `${path}/${verb}`, body);
  take(text);
  if (!FINAL.includes(task.value.status)) stream?.reopen();
}

async function retry() {
  await act("retry").catch((error) => (refused.value = error));
}

function askToCancel() {
  question.value = {
    title: "Cancel this task?",
    text:
      task.value.status === "active"
        ? "Its handler is asked to stop. The task is cancelled when it has stopped."
        : "It does not start. You can run it again later.",
    action: "Cancel the task",
    bad: true,
    reason: true,
    run: (reason) => act("cancel", { reason }),
  };
}

async function resumeQueue() {
  refused.value = null;
  await send("POST", `/v1/queues/${encodeURIComponent(task.value.queue)}/resume`)
    .then(() => explaining?.refresh())
    .catch((error) => (refused.value = error));
}

const remedies = {
  backoff: { label: "Retry now", run: retry },
  paused: { label: "Resume the queue", run: resumeQueue },
};

function Task() {
  if (!task.value) {
    if (!problem.value) return html`<p class="loading" role="status">Loading…</p>`;
    return html`<h1>Task</h1><${Missing} problem=${problem.value} />`;
  }
  const state = task.value;
  const why = explanation.value && WAITING.includes(state.status) && html`<${Why} explanation=${explanation.value} remedies=${remedies} />`;
  return html`
    <${TaskHead} task=${state} onCancel=${askToCancel} onRetry=${retry} />
    ${problem.value && html`<${Notice} problem=${problem.value} stale />`}
    ${refused.value && html`<${Notice} problem=${refused.value} />`}
    <div class="columns">
      <div class="wide">
        ${why}
        ${state.status === "failed" && state.error && html`<${Section} title="Why did it fail?" look="bad">
          <${Failure} error=${state.error} open /><//>`}
        ${written.value && html`<${Section} title="Text"><div class="written" aria-live="off">${visible(written.value)}</div><//>`}
        ${files.value.length > 0 && html`<${Section} title="Files"><${Artifacts} key=${files.value.length} files=${files.value} /><//>`}
        ${state.status === "completed" && html`<${Section} title="Result"><${JsonView} text=${raw.value.result} name="Result" /><//>`}
        <${Section} title="Payload"><${JsonView} text=${raw.value.payload} name="Payload" /><//>
        <${Section} title="Attempts">
          <${Timeline} task=${state} attempts=${attempts.value} />
          <${Attempts} attempts=${attempts.value} open=${state.status !== "failed"} />
        <//>
        <${Section} title="Log"><${LogTail} log=${log} ended=${FINAL.includes(state.status)} /><//>
      </div>
      <${TaskFacts} task=${state} />
    </div>
    <${Ask} question=${question} />`;
}

function Section({ title, look = "", children }) {
  return html`<section class="card ${look}" aria-label=${title}><h2>${title}</h2>${children}</section>`;
}

function Missing({ problem: found }) {
  return html`<${Notice} problem=${found} /><p><a href=${href("/ui/tasks")}>All tasks</a></p>`;
}

effect(() => {
  if (problem.value?.status === 0 && !task.value) setTimeout(() => ((problem.value = null), start()), 3000);
});

mount(Task, () => (task.value ? `${task.value.status}: ${visible(task.value.type)} ${shortId(id)}` : "Task"));
start();
