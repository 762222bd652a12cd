// JSON as text. What a task carries is shown as it was sent: JSON.parse would round large numbers.

/** Return the members of an object by name, each as the JSON text it has. */
export function members(text) {
  const found = {};
  let at = skip(text, text.indexOf("{") + 1);
  while (at < text.length && text[at] !== "}") {
    const end = endOfString(text, at);
    const name = JSON.parse(text.slice(at, end));
    const start = skip(text, skip(text, end) + 1);
    const stop = endOfValue(text, start);
    found[name] = text.slice(start, stop);
    at = skip(text, stop);
    if (text[at] === ",") at = skip(text, at + 1);
  }
  return found;
}

/** Return the elements of a list, each as the JSON text it has. */
export function elements(text) {
  const found = [];
  let at = skip(text, text.indexOf("[") + 1);
  while (at < text.length && text[at] !== "]") {
    const stop = endOfValue(text, at);
    found.push(text.slice(at, stop));
    at = skip(text, stop);
    if (text[at] === ",") at = skip(text, at + 1);
  }
  return found;
}

/** Return JSON text as tokens [kind, text] with line breaks; kinds: key, string, number, word, mark. */
export function tokens(text) {
  const found = [];
  const open = [];
  const MAX_INDENT = 40;
  const line = () => `\n${"  ".repeat(Math.min(open.length, MAX_INDENT))}`;
  for (let at = skip(text, 0); at < text.length; ) {
    const sign = text[at];
    if (sign === "{" || sign === "[") {
      const next = skip(text, at + 1);
      if (text[next] === "}" || text[next] === "]") {
        found.push(["mark", sign + text[next]]);
        at = skip(text, next + 1);
        continue;
      }
      open.push(sign);
      found.push(["mark", sign + line()]);
      at = next;
    } else if (sign === "}" || sign === "]") {
      open.pop();
      found.push(["mark", line() + sign]);
      at = skip(text, at + 1);
    } else if (sign === "," || sign === ":") {
      found.push(["mark", sign === "," ? `,${line()}` : ": "]);
      at = skip(text, at + 1);
    } else {
      const stop = sign === '"' ? endOfString(text, at) : endOfWord(text, at);
      const next = skip(text, stop);
      found.push([kindOf(sign, text[next]), text.slice(at, stop)]);
      at = next;
    }
  }
  return found;
}

/** Return JSON text with line breaks and indents, every digit as it was. */
export const pretty = (text) => tokens(text).map(([, part]) => part).join("");

function kindOf(first, after) {
  if (first === '"') return after === ":" ? "key" : "string";
  return /[-\d]/.test(first) ? "number" : "word";
}

function skip(text, at) {
  let i = at;
  while (i < text.length && " \n\r\t".includes(text[i])) i += 1;
  return i;
}

function endOfString(text, at) {
  let i = at + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}

function endOfWord(text, at) {
  let i = at + 1;
  while (i < text.length && !',:]} \n\r\t'.includes(text[i])) i += 1;
  return i;
}

function endOfValue(text, at) {
  if (text[at] === '"') return endOfString(text, at);
  if (text[at] !== "{" && text[at] !== "[") return endOfWord(text, at);
  let depth = 0;
  let i = at;
  do {
    if (text[i] === '"') {
      i = endOfString(text, i);
      continue;
    }
    if (text[i] === "{" || text[i] === "[") depth += 1;
    if (text[i] === "}" || text[i] === "]") depth -= 1;
    i += 1;
  } while (depth > 0 && i < text.length);
  return i;
}
