// The settings of a queue, in words.
import { html } from "../vendor/preact.js";
import { number, visible } from "../lib/format.js";
import { duration } from "../lib/time.js";
import { JsonView } from "./json-view.js";
import { Time } from "./time.js";

const rates = (rate) =>
  [rate].flat().map((one) => `${number(one.count)} in ${duration(one.per_seconds)}${one.smooth ? ", evenly spread" : ""}`).join(" and ");

function facts(queue) {
  return [
    ["Running at once", queue.concurrency === null ? "no limit" : `at most ${number(queue.concurrency)}`],
    ["Starts", queue.rate && [queue.rate].flat().length ? `at most ${rates(queue.rate)}` : "no limit"],
    ["Attempts", queue.max_attempts === null ? "3, or as the type says" : number(queue.max_attempts)],
    ["Ageing", queue.ageing_s && `one step of priority each ${duration(queue.ageing_s)}`],
    ["Fairness", queue.fairness && "tasks start in turns of their fairness keys"],
    ["Slowed until", queue.slowed_until && html`<${Time} at=${queue.slowed_until} /> ${visible(queue.slowed_reason ?? "")}`],
    ["Created", queue.created_at && html`<${Time} at=${queue.created_at} />`],
    ["Version", number(queue.version)],
  ].filter(([, value]) => value);
}

export function QueueFacts({ queue, raw }) {
  const more = ["retry", "per_key", "retention"].filter((name) => queue[name] !== null);
  return html`<dl>${facts(queue).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${more.map((name) => html`<div key=${name}><h3>${name}</h3><${JsonView} text=${raw[name]} name=${name} /></div>`)}`;
}
