// Where people sign in, and from where they go on to the page that they came for.
import { html, useSignal } from "../vendor/preact.js";
import { base, href, send } from "../lib/api.js";
import { mount } from "../components/frame.js";
import { Notice } from "../components/notice.js";

/** Return the page to go on to: one of ours, whatever the address says. */
function target() {
  const asked = new URL(new URLSearchParams(location.search).get("to") ?? "", location.origin);
  const ours = asked.origin === location.origin && asked.pathname.startsWith(`${base}/ui`);
  return ours ? asked.pathname + asked.search : href("/ui");
}

function SignIn() {
  const problem = useSignal(null);
  const busy = useSignal(false);

  async function submit(event) {
    event.preventDefault();
    const { email, password } = Object.fromEntries(new FormData(event.target));
    busy.value = true;
    try {
      await send("POST", "/v1/session", { email: email.trim(), password });
      location.replace(target());
    } catch (refused) {
      problem.value = refused;
      busy.value = false;
    }
  }

  return html`<form class="sign-in" onSubmit=${submit}>
    <h1>Sign in</h1>
    ${!window.isSecureContext && html`<p class="notice" role="alert">This page came over plain HTTP: your browser keeps
      no session. Use HTTPS, or open the dashboard on the machine that serves it.</p>`}
    <label>E-mail address <input name="email" type="email" autocomplete="username" required autofocus /></label>
    <label>Password <input name="password" type="password" autocomplete="current-password" required /></label>
    ${problem.value && html`<${Notice} problem=${problem.value} />`}
    <p class="buttons"><button type="submit" class="main" disabled=${busy.value}>Sign in</button></p>
    <p class="muted small">No account? An admin adds users with <code>pgqueue users add</code>. Programs use API keys.</p>
  </form>`;
}

mount(SignIn, null, { bare: true });
