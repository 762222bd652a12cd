// How long tasks wait and run: percentiles of the statistics, with what they are about.
import { html } from "../vendor/preact.js";
import { count } from "../lib/format.js";
import { duration } from "../lib/time.js";

export function Latencies({ stats }) {
  const row = (label, times) => html`<tr><th scope="row">${label} <span class="muted small">${count(times.n, "attempt")}</span></th>
    ${["p50", "p95", "p99"].map((name) => html`<td key=${name} class="n line-of-one">${times[name] === null ? "–" : `≈ ${duration(times[name])}`}</td>`)}</tr>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table: Waiting and running"><table>
    <thead><tr><th scope="col"><span class="sr">Time</span></th><th scope="col" class="n">half within</th>
      <th scope="col" class="n">95 %</th><th scope="col" class="n">99 %</th></tr></thead>
    <tbody>${row("Waited", stats.wait_s)}${row("Ran", stats.run_s)}</tbody>
  </table></div>
  <p class="muted small">In the last ${duration(stats.window_s)}; right within a factor of about 1.5.</p>`;
}
