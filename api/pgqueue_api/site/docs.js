// Shows /openapi.json as a page on which every call can be tried. Nothing is loaded from elsewhere, and text from the
// document only ever becomes text, never markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
let doc;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Markdown as descriptions use it: paragraphs and lists; `code`, **strong**, *emphasis*, [links](#here).
const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(((?:https?:|[#/])[^)\s]*)\)/g;

function inline(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    parts.push(text.slice(end, found.index));
    end = found.index + found[0].length;
    const [, code, strong, emphasis, label, address] = found;
    if (code !== undefined) parts.push(make("code", {}, code));
    else if (strong !== undefined) parts.push(make("strong", {}, ...inline(strong)));
    else if (emphasis !== undefined) parts.push(make("em", {}, ...inline(emphasis)));
    else parts.push(make("a", { href: address, rel: "noreferrer" }, label));
  }
  return [...parts, text.slice(end)];
}

function block(text) {
  if (!/^[-*] /.test(text)) return make("p", {}, ...inline(text.replace(/\n/g, " ")));
  const items = text.split(/^[-*] /m).filter(Boolean).map((item) => item.replace(/\s*\n\s*/g, " ").trim());
  return make("ul", {}, ...items.map((item) => make("li", {}, ...inline(item))));
}

function markdown(text) {
  return (text || "").trim().split(/\n\s*\n/).filter(Boolean).map(block);
}

function firstLine(text) {
  return inline((text || "").split(/\n\s*\n/, 1)[0].replace(/\n/g, " "));
}

function resolve(thing) {
  let found = thing;
  while (found && found.$ref) {
    found = found.$ref.slice(2).split("/").reduce((at, key) => at[key], doc);
  }
  return found || {};
}

function nameOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map(nameOf).join(" | ");
  if (schema.type === "array") return `${nameOf(schema.items)}[]`;
  if (Array.isArray(schema.type) && schema.items) return `${nameOf(schema.items)}[] | null`;
  const format = schema.format ? ` (${schema.format})` : "";
  return [].concat(schema.type || "any").map((type) => (type === "null" ? type : type + format)).join(" | ");
}

function range(low, high, unit = "") {
  if (low === undefined && high === undefined) return null;
  if (low === undefined) return `at most ${high}${unit}`;
  if (high === undefined) return `at least ${low}${unit}`;
  return low === high ? `${low}${unit}` : `${low} to ${high}${unit}`;
}

function bounds(schema) {
  const parts = [
    schema.exclusiveMinimum === undefined
      ? range(schema.minimum, schema.maximum)
      : [`more than ${schema.exclusiveMinimum}`, range(undefined, schema.maximum)].filter(Boolean).join(", "),
    range(schema.minLength, schema.maxLength, " characters"),
    range(schema.minItems, schema.maxItems, " items"),
    schema.default === undefined ? null : `default ${JSON.stringify(schema.default)}`,
    schema.pattern && make("span", {}, "pattern ", make("code", {}, schema.pattern)),
  ].filter(Boolean);
  return parts.flatMap((part, n) => (n ? [", ", part] : [part]));
}

function typeCell(schema) {
  if (schema.anyOf) {
    const cells = schema.anyOf.map(typeCell);
    return make("span", {}, ...cells.flatMap((cell, n) => (n ? [make("code", {}, " | "), cell] : [cell])));
  }
  const inner = schema.items || schema;
  return inner && inner.$ref
    ? make("a", { href: `#schema-${nameOf(inner)}` }, nameOf(schema))
    : make("code", {}, nameOf(schema));
}

// What describes a value: its own description, else that of the schema that it refers to, null aside.
function descriptionOf(schema) {
  if (schema.description) return schema.description;
  const others = (schema.anyOf || [schema]).filter((one) => one.type !== "null");
  return others.length === 1 ? resolve(others[0]).description : undefined;
}

function schemaTable(schema) {
  const optional = (name) => !(schema.required || []).includes(name);
  const fields = Object.entries(schema.properties || {}).sort(([a], [b]) => optional(a) - optional(b));
  const rows = fields.map(([name, property]) => make("tr", {},
    make("td", {}, make("code", {}, name), optional(name) ? "" : " *"),
    make("td", {}, typeCell(property)),
    described(descriptionOf(property), property)));
  return make("table", {}, make("tbody", {}, ...rows));
}

function described(description, schema) {
  const limits = bounds(schema);
  return make("td", {}, ...firstLine(description),
    limits.length ? make("span", { class: "soft" }, " ", ...limits) : null);
}

function example(schema) {
  const full = resolve(schema);
  return full.examples ? JSON.stringify(full.examples[0], null, 2) : null;
}

function parameterTable(parameters) {
  const rows = parameters.map((parameter) => make("tr", {},
    make("td", {}, make("code", {}, parameter.name), parameter.required ? " *" : ""),
    make("td", { class: "soft" }, parameter.in),
    make("td", {}, make("code", {}, nameOf(parameter.schema))),
    described(parameter.description, parameter.schema)));
  return make("table", {}, make("tbody", {}, ...rows));
}

function responseTable(responses) {
  const rows = Object.entries(responses).map(([status, given]) => {
    const response = resolve(given);
    const [media, content] = Object.entries(response.content || {})[0] || ["", {}];
    return make("tr", {}, make("td", {}, make("code", {}, status)), make("td", {}, ...inline(response.description)),
      make("td", {}, content.schema && content.schema.$ref ? typeCell(content.schema) : make("code", {}, media)));
  });
  return make("table", {}, make("tbody", {}, ...rows));
}

async function show(response, output) {
  output.textContent = `${response.status} ${response.statusText}\n\n`;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    output.textContent = `${response.status} ${response.statusText}\n\n${text.slice(-20000)}`;
  }
  try {
    output.textContent = `${response.status} ${response.statusText}\n\n${JSON.stringify(JSON.parse(text), null, 2)}`;
  } catch { /* not JSON: shown as it is */ }
}

function tryForm(method, path, operation) {
  const output = make("pre", { hidden: true });
  const fields = (operation.parameters || []).map((parameter) => {
    const input = make("input", { name: parameter.name, placeholder: parameter.example, required: parameter.required });
    return { parameter, input, label: make("label", {}, `${parameter.name} (${parameter.in})`, input) };
  });
  let body = null;
  if (operation.requestBody) {
    body = make("textarea", { "aria-label": "body", spellcheck: "false" });
    body.value = example(Object.values(operation.requestBody.content)[0].schema) || "{}";
  }
  let running = null;
  const stop = make("button", { type: "button", hidden: true }, "Stop");
  stop.addEventListener("click", () => running && running.abort());
  const form = make("form", {}, ...fields.map((field) => field.label), body, make("button", {}, "Send"), " ", stop, output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) running.abort();
    running = new AbortController();
    let url = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, input } of fields) {
      const value = input.value.trim();
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(value));
      else if (value && parameter.in === "query") query.set(parameter.name, value);
      else if (value) headers[parameter.name] = value;
    }
    if (body) headers["Content-Type"] = "application/json";
    output.hidden = stop.hidden = false;
    output.textContent = "…";
    try {
      const address = query.size ? `${url}?${query}` : url;
      await show(await fetch(address, { method: method.toUpperCase(), headers, body: body && body.value, signal: running.signal }), output);
    } catch (error) {
      output.append(`\n${error.message}`);
    }
    stop.hidden = true;
  });
  return form;
}

function operationBox(method, path, operation) {
  const inside = make("div", { class: "body" }, ...markdown(operation.description));
  if (operation.parameters) inside.append(make("h4", {}, "Parameters"), parameterTable(operation.parameters));
  if (operation.requestBody) {
    const schema = Object.values(operation.requestBody.content)[0].schema;
    const full = resolve(schema);
    inside.append(make("h4", {}, "Body"), make("p", {}, typeCell(schema)), ...markdown(full.description), schemaTable(full));
  }
  inside.append(make("h4", {}, "Answers"), responseTable(operation.responses), make("h4", {}, "Try it"), tryForm(method, path, operation));
  return make("details", { id: operation.operationId },
    make("summary", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), make("span", { class: "path" }, path),
      make("span", { class: "what" }, operation.summary || "")), inside);
}

function render() {
  document.title = `${doc.info.title} API ${doc.info.version}`;
  document.getElementById("about").replaceChildren(...markdown(doc.info.description));
  document.getElementById("version").textContent = `version ${doc.info.version}, OpenAPI ${doc.openapi}`;
  const main = document.getElementById("main");
  const contents = document.getElementById("contents");
  main.replaceChildren();
  for (const tag of doc.tags) {
    const list = make("ul");
    main.append(make("h2", { id: `tag-${tag.name}` }, tag.name), make("p", { class: "soft" }, ...inline(tag.description)));
    for (const [path, item] of Object.entries(doc.paths)) {
      for (const method of METHODS.filter((name) => item[name] && item[name].tags.includes(tag.name))) {
        main.append(operationBox(method, path, item[method]));
        list.append(make("li", {}, make("a", { href: `#${item[method].operationId}` }, item[method].summary)));
      }
    }
    contents.append(make("strong", {}, tag.name), list);
  }
  main.append(make("h2", { id: "problems" }, "Problems"), make("p", { class: "soft" }, ...inline("The values of `code`, and what to do about each.")));
  main.append(make("table", {}, make("tbody", {}, ...Object.entries(doc["x-problems"]).map(([code, problem]) =>
    make("tr", { id: code }, make("td", {}, make("code", {}, code)), make("td", {}, String(problem.status)), make("td", {}, ...inline(problem.description)))))));
  main.append(make("h2", { id: "schemas" }, "Schemas"));
  for (const [name, schema] of Object.entries(doc.components.schemas)) {
    const shown = example(schema);
    main.append(make("details", { id: `schema-${name}` }, make("summary", {}, make("h3", {}, name), make("span", { class: "what" }, ...firstLine(schema.description))),
      make("div", { class: "body" }, ...markdown(schema.description).slice(1), schemaTable(schema), shown ? make("pre", {}, shown) : null)));
  }
  contents.append(make("a", { href: "#problems" }, "Problems"), make("br"), make("a", { href: "#schemas" }, "Schemas"));
  const openTarget = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", openTarget);
  openTarget();
}

fetch("/openapi.json").then((response) => response.json()).then((found) => { doc = found; render(); }).catch((error) => {
  document.getElementById("main").replaceChildren(make("p", { class: "bad" }, `The document could not be read: ${error.message}`));
});
