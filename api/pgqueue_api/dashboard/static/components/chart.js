// Small charts in SVG, each with its table.
import { html } from "../vendor/preact.js";
import { number } from "../lib/format.js";

const PARTS = [
  ["completed", "good"],
  ["failed", "bad"],
  ["cancelled", "plain"],
];
const HEIGHT = 96;

/** The tasks that ended on each day, stacked by how. */
export function Days({ days }) {
  const most = Math.max(1, ...days.map((day) => day.completed + day.failed + day.cancelled));
  const width = 100 / Math.max(1, days.length);
  const total = (name) => days.reduce((sum, day) => sum + day[name], 0);
  const sentence = `In ${days.length} days ${PARTS.map(([name]) => `${number(total(name))} ${name}`).join(", ")}`;
  return html`<figure class="chart">
    <svg role="img" aria-label=${sentence} width="100%" height=${HEIGHT}>
      ${days.map((day, i) => {
        let top = HEIGHT;
        return PARTS.map(([name, look]) => {
          const height = day[name] ? Math.max(2, (day[name] / most) * (HEIGHT - 4)) : 0;
          top -= height;
          return html`<rect key=${name} class=${look} x="${i * width + width * 0.18}%" width="${width * 0.64}%" y=${top} height=${height}>
            <title>${day.day}: ${number(day[name])} ${name}</title></rect>`;
        });
      })}
    </svg>
    <div class="axis" aria-hidden="true">${days.map((day) => html`<span key=${day.day}>${weekday(day.day)}</span>`)}</div>
    <figcaption><p class="legend">${PARTS.map(([name, look]) => html`<span key=${name}><i class="key ${look}"></i>${name} ${number(total(name))}</span>`)}</p>
      <details><summary>As a table</summary>
        <div class="scroll" tabindex="0" role="region" aria-label="Ended tasks by day"><table>
          <thead><tr><th scope="col">Day (UTC)</th>${PARTS.map(([name]) => html`<th key=${name} scope="col" class="n">${name}</th>`)}</tr></thead>
          <tbody>${days.map((day) => html`<tr key=${day.day}><th scope="row">${day.day}</th>
            ${PARTS.map(([name]) => html`<td key=${name} class="n">${number(day[name])}</td>`)}</tr>`)}</tbody>
        </table></div></details></figcaption>
  </figure>`;
}

const weekday = (day) => new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: "UTC" }).format(new Date(day));

/** How much of a limit is used; just the number where there is no limit. */
export function Gauge({ used, limit, label }) {
  if (!limit) return html`<span>${number(used)}</span>`;
  return html`<span class="gauge">${number(used)} / ${number(limit)}
    <meter min="0" max=${limit} value=${Math.min(used, limit)} aria-label="${label}: ${number(used)} of ${number(limit)}"></meter></span>`;
}
